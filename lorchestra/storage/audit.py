"""The audit log: who ran what and who read records, in a chain that shows every later change.

    {logs}/audit.jsonl         one entry a line; `audit-{number}.jsonl` are earlier files, named by their last entry
    {work}/audit/key           32 random bytes
    {work}/audit/logs          where the log is, relative to {work}/audit
    {work}/audit/head          number and MAC of the last entry; its lock orders the writers

An entry holds the MAC of the entry before it (`previous`) and ends with its own (`mac`), a keyed BLAKE2b of the bytes
before. Without the key nobody can make or edit an entry, and without the head nobody can cut off the last ones. Key and
head are in the PHI directory, which only its owner can enter; the owner of the files could forge both.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from lorchestra.base.errors import Failure, from_os_error
from lorchestra.records import names
from lorchestra.storage import private

FILE = "audit.jsonl"
_LARGEST_FILE = 16 * 1024 * 1024
_LONGEST_ENTRY = 256 * 1024
_MOST_FILES = 500
_LONG = frozenset({"files", "transforms"})
_SEAL = b',"mac":"'
_NOBODY = 0xFFFFFFFF  # the kernel's login uid of a process that nobody logged in for

Field: TypeAlias = str | int | list[str] | Mapping[str, str] | Mapping[str, int] | Mapping[str, Mapping[str, int]]


class Head(NamedTuple):
    """The last entry of the chain."""

    number: int = 0
    mac: str = ""


class Trail(NamedTuple):
    """The audit log of one pipeline."""

    directory: Path

    @property
    def logs(self) -> Path:
        """The directory that holds the log. Raises OSError."""
        return Path(os.path.normpath(self.directory / (self.directory / "logs").read_text()))

    @property
    def key(self) -> bytes:
        """The key. Raises OSError."""
        return (self.directory / "key").read_bytes()


def create(work_directory: Path, log_directory: Path) -> Trail:
    """The audit log of a pipeline, created if missing. Raises Failure."""
    trail = Trail(work_directory / "audit")
    relative = os.path.relpath(log_directory, trail.directory)
    try:
        private.make_directory(trail.directory)
        if not (trail.directory / "key").exists():
            private.write(trail.directory / "key", os.urandom(32))
        if not (trail.directory / "logs").exists() or (trail.directory / "logs").read_text() != relative:
            private.write(trail.directory / "logs", relative.encode())
    except OSError as error:
        raise from_os_error(error) from None
    return trail


def find(near: Path) -> Trail | None:
    """The audit log of the pipeline whose PHI directory contains a path; None if it is in none."""
    real = Path(os.path.realpath(near))
    directories = (parent / ".work" / "audit" for parent in (real, *real.parents))
    return next((Trail(directory) for directory in directories if (directory / "logs").is_file()), None)


def record_read(near: Path, command: str, text: str = "", *, files: Sequence[str] = (), **fields: Field) -> None:
    """Record that a command is about to show or copy records, or to remove them. Raises Failure if it cannot.

    `near` is the store or the file that is read. `text` is what the user asked for: only its digest is written, because
    it may hold PHI. Without a pipeline around `near` nothing is recorded.
    """
    trail = find(near)
    if trail:
        read = {"asked": asked(trail, text)} if text else {}
        append(trail, command, **read, **fields, **(named(files) if files else {}))


def asked(trail: Trail, text: str) -> str:
    """The digest of what a user asked for. It is keyed: otherwise names could be guessed from it."""
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), key=trail.key, digest_size=16).hexdigest()


def append(trail: Trail, command: str, **fields: Field) -> None:
    """Add an entry and make it durable. Raises Failure: what cannot be recorded must not happen."""
    try:
        held = private.lock(trail.directory / "head", wait=True)
        try:
            _append(trail, held, {"command": command, **fields})
        finally:
            private.unlock(held)
    except OSError as error:
        name = error.filename or trail.directory
        failure = from_os_error(error, name)
        raise Failure(failure.code, f"audit log: {failure.message}", advice=failure.advice) from None


def _append(trail: Trail, held: private.Lock, fields: Mapping[str, Field]) -> None:
    logs, key = trail.logs, trail.key
    private.make_directory(logs)
    head = max(read_head(trail), _last(logs / FILE, key))  # a crash can leave the log one entry ahead
    entry = {"number": head.number + 1, "time": _now(), **_who(), **fields, "key": key_id(key), "previous": head.mac}
    line, mac = seal(entry, key)
    if len(line) > _LONGEST_ENTRY:
        line, mac = seal({name: value for name, value in entry.items() if name not in _LONG} | {"cut": 1}, key)
    _rotate(logs, head)
    private.append_line(logs / FILE, line, durable=True)
    os.pwrite(held, f"{head.number + 1:012d} {mac}\n".encode(), 0)


def seal(entry: Mapping[str, Any], key: bytes) -> tuple[bytes, str]:
    """The line of an entry, and its MAC."""
    body = json.dumps(entry, separators=(",", ":")).encode("ascii")[:-1]
    mac = _mac(body, key)
    return body + _SEAL + mac.encode() + b'"}', mac


def unseal(line: bytes, key: bytes) -> dict[str, Any] | None:
    """The entry of a line, with its MAC; None if the line is not exactly what `seal` made."""
    body, seal, rest = line.rpartition(_SEAL)
    if not seal or rest != _mac(body, key).encode() + b'"}':
        return None
    entry: dict[str, Any] = json.loads(line)
    return entry


def _mac(body: bytes, key: bytes) -> str:
    return hashlib.blake2b(body, key=key, digest_size=32).hexdigest()


def key_id(key: bytes) -> str:
    """A name for the key, from which it cannot be computed."""
    return hashlib.sha256(key).hexdigest()[:12]


def read_head(trail: Trail) -> Head:
    """The last entry that was written; `Head()` if there is none or the file is damaged."""
    try:
        number, mac = (trail.directory / "head").read_text("ascii").split()
        return Head(int(number), mac)
    except (OSError, ValueError):
        return Head()


def _last(file: Path, key: bytes) -> Head:
    """The last entry of a log file; `Head()` if there is no valid one at its end."""
    try:
        with file.open("rb") as log:
            log.seek(max(0, os.fstat(log.fileno()).st_size - 2 * _LONGEST_ENTRY))
            lines = log.read().split(b"\n")
    except FileNotFoundError:
        return Head()
    entry = next(filter(None, (unseal(line, key) for line in reversed(lines))), None)
    return Head(entry["number"], entry["mac"]) if entry else Head()


def _rotate(logs: Path, head: Head) -> None:
    """Rename a full file; the chain continues in a new one."""
    log = logs / FILE
    if log.exists() and log.stat().st_size >= _LARGEST_FILE:
        os.rename(log, logs / f"audit-{head.number:012d}.jsonl")
        private.sync_directory(logs)


def files(logs: Path) -> list[Path]:
    """The files of the log, oldest first."""
    earlier = sorted(logs.glob("audit-*.jsonl"))
    return [*earlier, logs / FILE] if (logs / FILE).exists() else earlier


def lines(file: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a file of the log, with their numbers. Raises OSError."""
    with file.open("rb") as log:
        for number, line in enumerate(log, 1):
            yield number, line.rstrip(b"\n")


def named(paths: Sequence[str]) -> dict[str, Field]:
    """The fields that name files. Names that do not follow the convention may hold anything: they are counted only."""
    known = sorted({name for path in paths if names.parse_raw(name := path.rpartition("/")[2])})
    return {"files": known[:_MOST_FILES], "files_total": len(set(paths))}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@functools.cache
def _who() -> Mapping[str, Field]:
    """The user, and who logged in: with sudo that is somebody else."""
    uid = os.getuid()
    who: dict[str, Field] = {"uid": uid, "login": _login(uid)}
    try:
        session = int(Path("/proc/self/loginuid").read_text())
    except (OSError, ValueError):
        session = _NOBODY
    if session == _NOBODY and os.environ.get("SUDO_UID", "").isdigit():
        session = int(os.environ["SUDO_UID"])
    if session not in (uid, _NOBODY):
        who |= {"logged_in_uid": session, "logged_in": _login(session)}
    return who


def _login(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""
