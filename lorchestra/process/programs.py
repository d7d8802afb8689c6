"""Where a program is found, and which version of it that is."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from lorchestra.base.errors import Code, Failure

_LONGEST_ANSWER = 65536


def find(program: str) -> Path:
    """The executable of a bare name, sought beside our own interpreter first, or of a path.

    Raises Failure(COMPONENT_MISSING).
    """
    # sys.executable is a link in a virtual environment: its siblings are wanted, not those of what it points to.
    beside = Path(sys.executable).parent / program
    if "/" not in program and beside.is_file():
        return beside
    import shutil

    found = shutil.which(program)
    if found is None:
        raise Failure(Code.COMPONENT_MISSING, f"the program {program} was not found beside this one nor on the PATH")
    return Path(found)


def identity(executable: Path) -> str:
    """A text that moves when a program, or what is installed in its virtual environment, may have changed."""
    places = [executable, *sorted(executable.parent.parent.glob("lib/python*/site-packages"))]
    return ";".join(f"{place}:{place.stat().st_mtime_ns}" for place in places)


def version(executable: Path) -> str:
    """What `PROGRAM --version` prints; empty where it does not answer."""
    status, output = answer([str(executable), "--version"])
    return "" if status else output.strip()


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
