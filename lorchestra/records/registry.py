"""A registry of transforms as files: where each lies, what it consists of, and how its files are read.

email/gmail_to_canonical_v1      email/gmail_to_canonical_v1.meta.yaml, its spec beside it
email/gmail_to_canonical@1.0.0   email/gmail_to_canonical/1.0.0/spec.meta.yaml and spec.jsonata
email/gmail_to_canonical@latest  the highest version there

Its metadata names its schemas and its spec in one of two dialects.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from lorchestra.base.errors import Code, Failure, from_os_error
from lorchestra.records.names import is_transform

SUFFIX = ".meta.yaml"
VERSIONED = f"spec{SUFFIX}"
"""The name of every metadata file in a directory named after a version."""
FROM_SCHEMA = ("from_schema", "input_schema")
TO_SCHEMA = ("to_schema", "output_schema")
"""What the dialects call the two schemas of a transform."""

_VERSION = re.compile(r"[0-9]{1,6}\.[0-9]{1,6}\.[0-9]{1,6}")
_LARGEST = 4 * 1024 * 1024


def locate(root: Path, name: str) -> Path:
    """The metadata file of a transform's name below a registry. Raises Failure(USAGE | TRANSFORM_MISSING)."""
    if not is_transform(name):
        raise Failure(
            Code.USAGE, "a transform is named as email/gmail_to_canonical_v1 or email/gmail_to_canonical@1.0.0"
        )
    base, _, version = name.partition("@")
    place = home(root) / base
    flat = place.with_name(f"{place.name}{SUFFIX}")
    if not version and flat.is_file():
        return flat
    if found := [path for path in _versions(place) if version in ("", "latest", path.parent.name)]:
        return max(found, key=_order)
    raise Failure(Code.TRANSFORM_MISSING, f"the transform {name} is not in {root}")


def home(root: Path) -> Path:
    """Where the transforms of a registry lie: below `transforms/`, or without such a directory beside `schemas/`."""
    return inner if (inner := root / "transforms").is_dir() else root


def named(entries: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    """What metadata says under the first of some keys that is written down; None where none is."""
    return next((entries[key] for key in keys if entries.get(key) is not None), None)


def spec_of(meta_path: Path, spec_path: str | None) -> Path:
    """The spec of a metadata file: where its `spec_path` says, else under its own name."""
    return meta_path.parent / (spec_path or meta_path.name.removesuffix(SUFFIX) + ".jsonata")


def is_below(text: Any) -> bool:
    """Whether a value is a path that cannot lead out of the directory it is taken from."""
    if not isinstance(text, str) or "\0" in text:
        return False
    path = PurePosixPath(text)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts


def read_bytes(path: Path, missing: Code = Code.TRANSFORM_MISSING, invalid: Code = Code.TRANSFORM_TAMPERED) -> bytes:
    """A registry file's bytes. What is not there is `missing`; a link, a device, a pipe, and what is beyond 4 MiB is
    `invalid`. Raises Failure.
    """
    failure: Failure | None = None
    try:
        with open(path, "rb", opener=_without_links) as file:
            regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            content = file.read(_LARGEST + 1) if regular else b""
    except OSError as error:
        regular = error.errno != errno.ENXIO  # a socket
        failure = from_os_error(error, path) if regular else None
    if failure and path.is_symlink():
        failure = Failure(invalid, f"{path}: a link; a registry holds files")
    elif failure and failure.code is Code.MISSING:
        failure = Failure(missing, failure.message)
    elif not failure and not regular:
        failure = Failure(invalid, f"{path}: not a regular file")
    elif not failure and len(content) > _LARGEST:
        failure = Failure(invalid, f"{path}: larger than {_LARGEST} bytes")
    if failure:
        raise failure
    return content


def _without_links(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)  # a pipe would keep the caller waiting


def _versions(directory: Path) -> Iterator[Path]:
    if directory.is_dir():
        for entry in directory.iterdir():
            if _VERSION.fullmatch(entry.name) and (entry / VERSIONED).is_file():
                yield entry / VERSIONED


def _order(meta_path: Path) -> tuple[int, ...]:
    return tuple(map(int, meta_path.parent.name.split(".")))
