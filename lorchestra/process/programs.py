"""Where a program is found, and which version of it is installed."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from lorchestra.base.errors import Code, Failure
from lorchestra.storage import listing

_LONGEST_ANSWER = 65536


def find(program: str) -> Path:
    """The executable of a path, or of a bare name: looked up next to our own interpreter first, then on the PATH.

    Raises Failure(COMPONENT_MISSING | PERMISSION).
    """
    # In a virtual environment sys.executable is a link; the programs are next to the link, not next to its target.
    sibling = Path(sys.executable).parent / program
    if "/" not in program and sibling.is_file():
        return sibling
    import shlex
    import shutil

    found = shutil.which(program)
    if found is None and "/" in program and Path(program).is_file():
        raise Failure(Code.PERMISSION, f"{program}: not executable", advice=f"Run: chmod +x {shlex.quote(program)}")
    if found is None:
        raise Failure(Code.COMPONENT_MISSING, f"program not found: {program}")
    return Path(found)


def identity(command: Sequence[str]) -> str:
    """A text that changes when a program, a script that it names, or its environment may have changed.

    Raises Failure(COMPONENT_MISSING).
    """
    executable = find(command[0])
    environments = sorted(executable.parent.parent.glob("lib/python*/site-packages"))
    files = (executable, *(script for _, script in _scripts(command)))
    return ";".join(
        (
            *command[1:],
            *(f"{file}:{listing.identity(file.stat())}" for file in files),
            *(f"{directory}:{directory.stat().st_mtime_ns}" for directory in environments),
        )
    )


def version(command: Sequence[str]) -> str:
    """What a command prints for `--version`; empty if it does not know the option.

    Raises Failure(COMPONENT_MISSING).
    """
    leading = []
    for word in command[1:]:
        if not Path(word).is_file():
            break
        leading.append(word)  # the script of an interpreter, as in `python3 canonizer.py`
    status, output = answer([str(find(command[0])), *leading, "--version"])
    return "" if status else output.strip()


def fingerprint(command: Sequence[str]) -> str:
    """What else decides what a command does: its words, and digests of the scripts that it names.

    A program that is given by its path counts as a script. Empty for a bare name without arguments: `version` says
    enough about that. Raises Failure(COMPONENT_MISSING).
    """
    digests = {at: _digest(script) for at, script in _scripts(command)}
    words = [f"{word} (sha256 {digests[at]})" if at in digests else word for at, word in enumerate(command[1:])]
    program = [f"(sha256 {_digest(find(command[0]))})"] if "/" in command[0] else []
    return " ".join((*program, *words))


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()[:16]


def _scripts(command: Sequence[str]) -> Iterator[tuple[int, Path]]:
    """The files that the words after the program name, as `FILE` or `--option=FILE`, with the word's position."""
    for at, word in enumerate(command[1:]):
        for name in (word, word.partition("=")[2] if word.startswith("-") else ""):
            if name and "{" not in name and len(name) < 4096 and Path(name).is_file():
                yield at, Path(name)
                break


def answer(
    argv: Sequence[str], *, timeout_seconds: float = 60, longest: int = _LONGEST_ANSWER, pass_env: Iterable[str] = ()
) -> tuple[int, str]:
    """Exit status and output, its first `longest` bytes, of a program that prints no record.

    The status is 1 and the output empty if it cannot be run. It gets the environment of `runner.environment`.
    """
    import subprocess  # slow to import, and a no-op run starts no program

    from lorchestra.process.runner import environment

    try:
        finished = subprocess.run(
            argv,
            env=environment(pass_env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=timeout_seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return 1, ""
    return finished.returncode, finished.stdout[:longest].decode("utf-8", "replace")
