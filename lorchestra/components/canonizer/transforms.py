"""Transforms as they lie in a registry: found by name, read once, checked, and run from those very bytes.

email/gmail_to_canonical_v1      email/gmail_to_canonical_v1.meta.yaml, its spec beside it
email/gmail_to_canonical@1.0.0   email/gmail_to_canonical/1.0.0/spec.meta.yaml and spec.jsonata
email/gmail_to_canonical@latest  the highest version there
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lorchestra.base.errors import Code, Failure, from_os_error
from lorchestra.base.names import is_transform
from lorchestra.components.canonizer import metadata
from lorchestra.components.canonizer.metadata import SUFFIX, Metadata

_VERSION_DIRECTORY = re.compile(r"\d{1,6}\.\d{1,6}\.\d{1,6}")
_VERSIONED = f"spec{SUFFIX}"
_LARGEST = 4 * 1024 * 1024


class Transform(NamedTuple):
    """A transform whose bytes have been read. `sound` says that they match the metadata's checksum."""

    id: str
    meta: Metadata
    meta_path: Path
    meta_sha256: str
    spec: str
    spec_path: Path
    spec_sha256: str
    sound: bool


def load(meta_path: Path, *, require_checksum: bool = True) -> Transform:
    """Read a transform by its metadata file.

    Raises Failure(TRANSFORM_MISSING) where a file is not there, (TRANSFORM_TAMPERED) where the spec's bytes do not
    match the checksum or a file is a link, (TRANSFORM_INVALID) for a spec without a checksum or not UTF-8,
    ConfigFailure for faulty metadata.
    """
    meta_content = read_bytes(meta_path)
    meta = metadata.parse(meta_content, str(meta_path))
    spec_path = meta_path.parent / (meta.spec_path or meta_path.name.removesuffix(SUFFIX) + ".jsonata")
    spec_content = read_bytes(spec_path)
    found = hashlib.sha256(spec_content).hexdigest()
    if require_checksum:
        _check(meta_path, spec_path, meta.sha256, found)
    return Transform(
        id=meta.id or _id_of(meta_path),
        meta=meta,
        meta_path=meta_path,
        meta_sha256=hashlib.sha256(meta_content).hexdigest(),
        spec=_decoded(spec_content, spec_path),
        spec_path=spec_path,
        spec_sha256=found,
        sound=meta.sha256 == found,
    )


def find(root: Path, name: str) -> Path:
    """The metadata file of a transform's name below a registry. Raises Failure(USAGE | TRANSFORM_MISSING)."""
    if not is_transform(name):
        raise Failure(
            Code.USAGE, "a transform is named as email/gmail_to_canonical_v1 or email/gmail_to_canonical@1.0.0"
        )
    base, _, version = name.partition("@")
    for directory in homes(root):
        path = _find_in(directory, base, version)
        if path is not None:
            return path
    raise Failure(Code.TRANSFORM_MISSING, f"{name} is not in {root}")


def every(root: Path) -> list[Path]:
    """All metadata files of a registry, in the order of their paths. Raises Failure(MISSING)."""
    if not root.is_dir():
        raise Failure(Code.MISSING, f"{root}: no such directory")
    return sorted(path for path in homes(root)[0].rglob(f"*{SUFFIX}") if path.is_file())


def name_of(root: Path, meta_path: Path) -> str:
    """The name by which `find` finds a metadata file of a registry."""
    home = next(home for home in homes(root) if meta_path.is_relative_to(home))
    path = meta_path.relative_to(home)
    if path.name == _VERSIONED:
        return f"{path.parent.parent.as_posix()}@{path.parent.name}"
    return path.as_posix().removesuffix(SUFFIX)


def homes(root: Path) -> list[Path]:
    """Where transforms may lie in a registry: below `transforms/`, or beside `schemas/`."""
    return [home for home in (root / "transforms", root) if home.is_dir()] or [root]


def schemas_of(meta_path: Path) -> Path:
    """The nearest directory `schemas` beside a metadata file or above it. Raises Failure(SCHEMA_MISSING)."""
    for directory in meta_path.absolute().parents:
        if (directory / "schemas").is_dir():
            return directory / "schemas"
    raise Failure(
        Code.SCHEMA_MISSING,
        f"{meta_path}: no directory `schemas` beside it or above it",
        advice="Name it with --schemas.",
    )


def read_bytes(path: Path) -> bytes:
    """A registry file's bytes; never through a link. Raises Failure(TRANSFORM_MISSING | TRANSFORM_TAMPERED)."""
    failure: Failure | None = None
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                failure = Failure(Code.TRANSFORM_TAMPERED, f"{path}: not a regular file")
            else:
                content = file.read(_LARGEST + 1)
    except OSError as error:
        failure = _refused(error, path)
    if failure:
        raise failure
    if len(content) > _LARGEST:
        raise Failure(Code.TRANSFORM_INVALID, f"{path}: larger than {_LARGEST} bytes")
    return content


def _refused(error: OSError, path: Path) -> Failure:
    if path.is_symlink():
        return Failure(Code.TRANSFORM_TAMPERED, f"{path}: a link; a registry holds files")
    failure = from_os_error(error, path)
    return Failure(Code.TRANSFORM_MISSING, failure.what) if failure.code is Code.MISSING else failure


def _check(meta_path: Path, spec_path: Path, expected: str | None, found: str) -> None:
    if expected is None:
        raise Failure(
            Code.TRANSFORM_INVALID,
            f"{meta_path}: no checksum of the spec",
            advice="Run `can registry checksum --write` once the spec is as it should be.",
        )
    if expected != found:
        raise Failure(Code.TRANSFORM_TAMPERED, f"{spec_path}: expected sha256 {expected[:12]}, found {found[:12]}")


def _decoded(content: bytes, path: Path) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    raise Failure(Code.TRANSFORM_INVALID, f"{path}: not UTF-8")


def _id_of(meta_path: Path) -> str:
    if meta_path.name == _VERSIONED:
        return "/".join(meta_path.absolute().parts[-4:-2])
    return f"{meta_path.absolute().parent.name}/{meta_path.name.removesuffix(SUFFIX)}"


def _find_in(home: Path, base: str, version: str) -> Path | None:
    flat = home / f"{base}{SUFFIX}"
    if not version and flat.is_file():
        return flat
    if version and version != "latest":
        path = home / base / version / _VERSIONED
        return path if path.is_file() else None
    return max(_versions(home / base), key=lambda path: _order(path.parent.name), default=None)


def _versions(directory: Path) -> Iterator[Path]:
    if directory.is_dir():
        for entry in directory.iterdir():
            if _VERSION_DIRECTORY.fullmatch(entry.name) and (entry / _VERSIONED).is_file():
                yield entry / _VERSIONED


def _order(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
