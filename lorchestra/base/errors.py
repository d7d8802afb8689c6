"""What can go wrong, what it exits with, whether trying again helps, and what the user is told to do.

    Failure                 one code of the closed enum, where it happened, nothing from a record
    └── ConfigFailure       several findings in one document, each with line and column

`OUTCOMES` is the one table. An exit status has the same meaning in every program of this package.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from enum import IntEnum, StrEnum
from typing import NamedTuple


class Exit(IntEnum):
    """The exit statuses of `lorchestra`, `can`, `vector-projector` and `lorchestra-sample`."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    NOT_JSONL = 3
    REGISTRY = 4
    PERMISSION = 5
    NO_SPACE = 6
    REJECTS = 7
    BUSY = 8
    TRY_LATER = 75
    INTERRUPTED = 130


class Code(StrEnum):
    """The closed enum of failures. A code names the kind of fault, never its content."""

    UNEXPECTED = "unexpected"
    USAGE = "usage"
    CONFIG = "config"
    MISSING = "missing"
    NOT_JSONL = "not_jsonl"
    TRANSFORM_MISSING = "transform_missing"
    TRANSFORM_TAMPERED = "transform_tampered"
    TRANSFORM_INVALID = "transform_invalid"
    SCHEMA_MISSING = "schema_missing"
    SCHEMA_INVALID = "schema_invalid"
    STORE_DAMAGED = "store_damaged"
    PERMISSION = "permission"
    INSECURE = "insecure"
    NO_SPACE = "no_space"
    TOO_MANY_REJECTS = "too_many_rejects"
    TOO_FEW_FILES = "too_few_files"
    BUSY = "busy"
    INPUT_CHANGED = "input_changed"
    COMPONENT_FAILED = "component_failed"
    COMPONENT_MISSING = "component_missing"
    COMPONENT_CRASHED = "component_crashed"
    SOURCE_FAILED = "source_failed"
    TIMED_OUT = "timed_out"
    TRY_LATER = "try_later"
    INTERRUPTED = "interrupted"


class Outcome(NamedTuple):
    """What follows from a code."""

    exit: Exit
    retry: bool
    advice: str


OUTCOMES: Mapping[Code, Outcome] = {
    Code.UNEXPECTED: Outcome(Exit.UNEXPECTED, False, "This is a fault of the program: report the place that is named."),
    Code.USAGE: Outcome(Exit.USAGE, False, "See --help."),
    Code.CONFIG: Outcome(Exit.USAGE, False, "Mend the file at the place that is named."),
    Code.MISSING: Outcome(Exit.USAGE, False, "Check the path."),
    Code.NOT_JSONL: Outcome(
        Exit.NOT_JSONL, False, "The file is not JSON Lines: mend or remove the line, or extract again."
    ),
    Code.TRANSFORM_MISSING: Outcome(Exit.REGISTRY, False, "Check the transform's name and the registry's path."),
    Code.TRANSFORM_TAMPERED: Outcome(
        Exit.REGISTRY,
        False,
        "If the edit was yours, run `can registry checksum --write`; if not, restore the file.",
    ),
    Code.TRANSFORM_INVALID: Outcome(Exit.REGISTRY, False, "Run `can registry validate` and mend it."),
    Code.SCHEMA_MISSING: Outcome(Exit.REGISTRY, False, "Put the schema into the registry; none is ever fetched."),
    Code.SCHEMA_INVALID: Outcome(Exit.REGISTRY, False, "Run `can registry validate` and mend the schema."),
    Code.STORE_DAMAGED: Outcome(
        Exit.UNEXPECTED, False, "Run `vector-projector verify`, then `vector-projector repair`."
    ),
    Code.PERMISSION: Outcome(Exit.PERMISSION, False, "Check who owns the path and its mode, or run as its owner."),
    Code.INSECURE: Outcome(Exit.PERMISSION, False, "Run the command that is named, then start again."),
    Code.NO_SPACE: Outcome(
        Exit.NO_SPACE, False, "Free disk space or raise the quota, then start again: nothing is lost."
    ),
    Code.TOO_MANY_REJECTS: Outcome(
        Exit.REJECTS, False, "Look at the rejects file; mend the transform or allow more rejects."
    ),
    Code.TOO_FEW_FILES: Outcome(Exit.UNEXPECTED, False, "Check the sources, or lower the stage's validation limits."),
    Code.BUSY: Outcome(Exit.BUSY, False, "Another run holds the lock: wait for it to end."),
    Code.INPUT_CHANGED: Outcome(
        Exit.TRY_LATER, True, "An input changed while it was read: run again when it is at rest."
    ),
    Code.COMPONENT_FAILED: Outcome(Exit.UNEXPECTED, True, "Look at the private log that is named."),
    Code.COMPONENT_MISSING: Outcome(Exit.USAGE, False, "Install the program or mend its path."),
    Code.COMPONENT_CRASHED: Outcome(
        Exit.UNEXPECTED, True, "The program ended without an answer: look at its private log."
    ),
    Code.SOURCE_FAILED: Outcome(Exit.UNEXPECTED, True, "Look at the source's private log."),
    Code.TIMED_OUT: Outcome(Exit.TRY_LATER, True, "Raise the time limit, or look why the program hangs."),
    Code.TRY_LATER: Outcome(Exit.TRY_LATER, True, "Try again later."),
    Code.INTERRUPTED: Outcome(Exit.INTERRUPTED, False, "Start again: what was done is kept."),
}

_OS_CODES = {
    errno.ENOSPC: Code.NO_SPACE,
    errno.EDQUOT: Code.NO_SPACE,
    errno.EFBIG: Code.NO_SPACE,
    errno.EACCES: Code.PERMISSION,
    errno.EPERM: Code.PERMISSION,
    errno.EROFS: Code.PERMISSION,
    errno.ELOOP: Code.PERMISSION,
    errno.ENOENT: Code.MISSING,
    errno.ENOTDIR: Code.MISSING,
    errno.EISDIR: Code.MISSING,
    errno.ENAMETOOLONG: Code.MISSING,
}


class Failure(Exception):
    """An expected failure.

    `what` is a sentence written by the program; it may name paths, counts, line numbers, schema paths and rule
    names, never a value, a key or text from a record. `advice` replaces the table's sentence where a better one
    is known.
    """

    def __init__(self, code: Code, what: str, *, advice: str | None = None) -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.advice = OUTCOMES[code].advice if advice is None else advice

    @property
    def exit(self) -> Exit:
        """The status that a program ends with."""
        return OUTCOMES[self.code].exit

    @property
    def retry(self) -> bool:
        """Whether the same call may succeed later without anybody's help."""
        return OUTCOMES[self.code].retry


class Finding(NamedTuple):
    """One fault in a document that a user wrote. Line and column count from 1."""

    line: int
    column: int
    message: str


class ConfigFailure(Failure):
    """Every fault found in one document."""

    def __init__(self, document: str, findings: Sequence[Finding]) -> None:
        self.findings = tuple(sorted(set(findings)))
        lines = [f"{document}:{f.line}:{f.column}: {f.message}" for f in self.findings]
        super().__init__(Code.CONFIG, "\n".join(lines), advice="Mend the file at the places that are named.")


def from_os_error(error: OSError, path: object | None = None) -> Failure:
    """The failure that an operating system error stands for; the path is the one known to the caller, or its own.

    Raise the result outside the `except` block, so that the original does not travel along as `__context__`.
    """
    code = _OS_CODES.get(error.errno or 0, Code.UNEXPECTED)
    # Python may put text of its own into `strerror`; the system's own words for the number hold no data.
    reason = f"{os.strerror(error.errno).lower()} ({_symbol(error.errno)})" if error.errno else type(error).__name__
    name = path if path is not None else error.filename
    where = f"{visible(str(name))}: " if name is not None else ""
    return Failure(code, f"{where}{reason}")


def visible(text: str) -> str:
    """A file's name as messages hold it: what would steer a terminal, or begin a line of its own, as escapes."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _symbol(number: int) -> str:
    return errno.errorcode.get(number, str(number))
