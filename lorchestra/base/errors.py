"""Failures: their codes, exit statuses, retries, and the advice to the user.

    Failure                 one code of the closed enum, and where it happened; never content of a record
    └── ConfigFailure       all errors in one document, each with line and column

`HANDLING` maps each code to its consequences. An exit status has the same meaning in every program of this package.
`Outcome` is a failure as data, for every place where it crosses a boundary: between attempts, stages and programs.
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
    """The closed enum of failures. A code names the kind of failure and contains no data."""

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
    AUDIT_TAMPERED = "audit_tampered"
    PERMISSION = "permission"
    INSECURE = "insecure"
    NO_SPACE = "no_space"
    TOO_MANY_REJECTS = "too_many_rejects"
    TOO_FEW_FILES = "too_few_files"
    BUSY = "busy"
    INPUT_CHANGED = "input_changed"
    VERSION_MISMATCH = "version_mismatch"
    COMPONENT_FAILED = "component_failed"
    COMPONENT_MISSING = "component_missing"
    COMPONENT_CRASHED = "component_crashed"
    SOURCE_FAILED = "source_failed"
    TIMED_OUT = "timed_out"
    TRY_LATER = "try_later"
    INTERRUPTED = "interrupted"


class Handling(NamedTuple):
    """How a code is handled: exit status, whether to retry, and advice to the user."""

    exit: Exit
    retry: bool
    advice: str


HANDLING: Mapping[Code, Handling] = {
    Code.UNEXPECTED: Handling(Exit.UNEXPECTED, False, "This is a bug: please report the location shown."),
    Code.USAGE: Handling(Exit.USAGE, False, "See --help."),
    Code.CONFIG: Handling(Exit.USAGE, False, "Fix the file at the location shown."),
    Code.MISSING: Handling(Exit.USAGE, False, "Check the path."),
    Code.NOT_JSONL: Handling(
        Exit.NOT_JSONL, False, "The file is not JSON Lines: fix or remove the line shown, or extract again."
    ),
    Code.TRANSFORM_MISSING: Handling(Exit.REGISTRY, False, "Check the transform's name and the registry's path."),
    Code.TRANSFORM_TAMPERED: Handling(
        Exit.REGISTRY,
        False,
        "If you edited the file, run `can registry checksum --write --registry DIR`; otherwise restore it.",
    ),
    Code.TRANSFORM_INVALID: Handling(
        Exit.REGISTRY, False, "Run `can registry validate --registry DIR` and fix what it reports."
    ),
    Code.SCHEMA_MISSING: Handling(
        Exit.REGISTRY, False, "Add the schema to the registry; schemas are never downloaded."
    ),
    Code.SCHEMA_INVALID: Handling(
        Exit.REGISTRY, False, "Run `can registry validate --registry DIR` and fix the schema."
    ),
    Code.STORE_DAMAGED: Handling(
        Exit.UNEXPECTED, False, "Run `vector-projector verify`, then `vector-projector repair`."
    ),
    Code.AUDIT_TAMPERED: Handling(
        Exit.UNEXPECTED, False, "Compare with a backup of the logs, and find out who could write to them."
    ),
    Code.PERMISSION: Handling(Exit.PERMISSION, False, "Check the owner and mode of the path, or run as its owner."),
    Code.INSECURE: Handling(Exit.PERMISSION, False, "Run the command shown, then start again."),
    Code.NO_SPACE: Handling(
        Exit.NO_SPACE, False, "Free disk space or raise the quota, then start again. No data was lost."
    ),
    Code.TOO_MANY_REJECTS: Handling(
        Exit.REJECTS,
        False,
        "Fix the transform, or raise max_rejects: within it, rejected records go to the rejects file.",
    ),
    Code.TOO_FEW_FILES: Handling(Exit.UNEXPECTED, False, "Check the sources, or lower the limits under validation."),
    Code.BUSY: Handling(Exit.BUSY, False, "Wait for the other run to end."),
    Code.INPUT_CHANGED: Handling(
        Exit.TRY_LATER, True, "An input changed while it was read. Run again when nothing writes to it."
    ),
    Code.VERSION_MISMATCH: Handling(
        Exit.TRY_LATER, False, "A program or the registry was replaced after the run was planned. Start again."
    ),
    Code.COMPONENT_FAILED: Handling(
        Exit.UNEXPECTED, True, "Read the program's log in .work/logs of the PHI directory; it may contain PHI."
    ),
    Code.COMPONENT_MISSING: Handling(Exit.USAGE, False, "Install the program or correct its path."),
    Code.COMPONENT_CRASHED: Handling(
        Exit.UNEXPECTED, True, "Read the program's log in .work/logs of the PHI directory; it may contain PHI."
    ),
    Code.SOURCE_FAILED: Handling(Exit.UNEXPECTED, True, "Read the log named above; it may contain PHI."),
    Code.TIMED_OUT: Handling(Exit.TRY_LATER, True, "Raise the time limit, or find out why the program hangs."),
    Code.TRY_LATER: Handling(Exit.TRY_LATER, True, "Try again later."),
    Code.INTERRUPTED: Handling(Exit.INTERRUPTED, False, "Start again: finished work is kept."),
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

    `message` is a sentence written by the program; it may name paths, counts, line numbers, schema paths and rule
    names, never a value, a key or text from a record. `advice` replaces the sentence of the table if a better one is
    known.
    """

    def __init__(self, code: Code, message: str, *, advice: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.advice = HANDLING[code].advice if advice is None else advice

    @property
    def exit(self) -> Exit:
        """The status that a program ends with."""
        return HANDLING[self.code].exit

    @property
    def retry(self) -> bool:
        """Whether the same call may succeed later without a change by the user."""
        return HANDLING[self.code].retry


class Outcome(NamedTuple):
    """How a piece of work ended, as data: `code` is None when it succeeded. `message` and `advice` as in `Failure`."""

    code: Code | None = None
    message: str = ""
    advice: str = ""

    @classmethod
    def of(cls, error: Failure | OSError) -> Outcome:
        """The outcome that a caught exception stands for."""
        failure = from_os_error(error) if isinstance(error, OSError) else error
        return cls(failure.code, failure.message, failure.advice)

    def check(self) -> None:
        """Raise the Failure that this outcome stands for; return when it is a success."""
        if self.code is not None:
            raise Failure(self.code, self.message, advice=self.advice or None)


class Finding(NamedTuple):
    """One error in a document that a user wrote. Line and column count from 1."""

    line: int
    column: int
    message: str


_MOST_FINDINGS = 100


class ConfigFailure(Failure):
    """All errors found in one document."""

    def __init__(self, document: str, findings: Sequence[Finding]) -> None:
        self.findings = tuple(sorted(set(findings)))
        shown = self.findings[:_MOST_FINDINGS]
        lines = [f"{document}:{f.line}:{f.column}: {f.message}" for f in shown]
        if len(self.findings) > len(shown):
            lines.append(f"{document}: and {len(self.findings) - len(shown):,} more errors")
        super().__init__(Code.CONFIG, "\n".join(lines), advice="Fix the file at the locations shown.")


def from_os_error(error: OSError, path: object | None = None) -> Failure:
    """Translate an error of the operating system. `path` replaces the path that the error itself names.

    Raise the result `from None`. The original stays reachable as `__context__`, which no catcher and no logger reads.
    """
    code = _OS_CODES.get(error.errno or 0, Code.UNEXPECTED)
    # `strerror` may contain text from Python; the system's message for the number contains no data.
    reason = f"{os.strerror(error.errno).lower()} ({_symbol(error.errno)})" if error.errno else type(error).__name__
    if error.errno == errno.EBADF:
        advice = "A standard stream is closed: redirect it to a file or to /dev/null."
        return Failure(code, f"{path or 'standard stream'}: {reason}", advice=advice)
    if error.errno == errno.EIO:
        advice = "The disk failed: check it and its connection, then start again."
        return Failure(code, f"{path or error.filename or 'the disk'}: {reason}", advice=advice)
    name = path if path is not None else error.filename
    where = f"{visible(str(name))}: " if name is not None else ""
    return Failure(code, f"{where}{reason}")


def visible(text: str) -> str:
    """A file name for messages: control characters, which could steer a terminal or start a new line, are escaped."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _symbol(number: int) -> str:
    return errno.errorcode.get(number, str(number))
