"""Where a program is found, and which version of it that is."""

from __future__ import annotations

import hashlib
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path

from lorchestra.base.errors import Code, Failure

_LONGEST_ANSWER = 65536


def find(program: str) -> Path:
    """The executable of a bare name, sought beside our own interpreter first, or of a path.

    Raises Failure(COMPONENT_MISSING | PERMISSION).
    """
    # sys.executable is a link in a virtual environment: its siblings are wanted, not those of what it points to.
    beside = Path(sys.executable).parent / program
    if "/" not in program and beside.is_file():
        return beside
    import shlex
    import shutil

    found = shutil.which(program)
    if found is None and "/" in program and Path(program).is_file():
        raise Failure(Code.PERMISSION, f"{program}: not executable", advice=f"Run: chmod +x {shlex.quote(program)}")
    if found is None:
        raise Failure(Code.COMPONENT_MISSING, f"the program {program} was not found beside this one nor on the PATH")
    return Path(found)


def identity(command: Sequence[str]) -> str:
    """A text that moves when a program, its script, or what is installed in its environment may have changed.

    Raises Failure(COMPONENT_MISSING).
    """
    executable, *scripts = _files(command)
    places = [executable, *scripts, *sorted(executable.parent.parent.glob("lib/python*/site-packages"))]
    return ";".join(f"{place}:{place.stat().st_mtime_ns}" for place in places)


def version(command: Sequence[str]) -> str:
    """What a command answers to `--version`, and the digests of the scripts that it names.

    Raises Failure(COMPONENT_MISSING).
    """
    parts = _files(command)
    status, output = answer([*map(str, parts), "--version"])
    digests = (hashlib.sha256(script.read_bytes()).hexdigest()[:12] for script in parts[1:])
    return " ".join(("" if status else output.strip(), *digests)).strip()


def _files(command: Sequence[str]) -> list[Path]:
    """The executable and the scripts that follow it, as in `python3 canonizer.py`."""
    return [find(command[0]), *itertools.takewhile(Path.is_file, map(Path, command[1:]))]


def answer(argv: Sequence[str], *, timeout_seconds: float = 60) -> tuple[int, str]:
    """Exit status and printed text of a program that handles no records; 1 and nothing where it does not answer."""
    import subprocess  # a run that has nothing to do asks no program

    from lorchestra.process.runner import environment

    try:
        finished = subprocess.run(
            argv,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=timeout_seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return 1, ""
    return finished.returncode, finished.stdout[:_LONGEST_ANSWER].decode("utf-8", "replace")
