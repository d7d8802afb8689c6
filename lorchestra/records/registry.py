"""A registry of transforms as files: how a transform's name maps to its files, and how these are read.

email/gmail_to_canonical_v1      email/gmail_to_canonical_v1.meta.yaml, its spec next to it
email/gmail_to_canonical@1.0.0   email/gmail_to_canonical/1.0.0/spec.meta.yaml and spec.jsonata
email/gmail_to_canonical@latest  the highest version in that directory

Metadata names the schemas and the spec in one of two dialects.
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
"""The keys of a transform's two schemas, in both dialects."""

_VERSION = re.compile(r"[0-9]{1,6}([.-])[0-9]{1,6}\1[0-9]{1,6}")  # 1.0.0, or as SchemaVer: 1-0-0
_LARGEST = 4 * 1024 * 1024


def locate(root: Path, name: str) -> Path:
    """The metadata file of the transform with this name. Raises Failure(USAGE | TRANSFORM_MISSING)."""
    if not is_transform(name):
        raise Failure(
            Code.USAGE, "a transform's name looks like email/gmail_to_canonical_v1 or email/gmail_to_canonical@1.0.0"
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
    """The directory of a registry's transforms: `transforms/` if it exists, otherwise the registry itself."""
    return inner if (inner := root / "transforms").is_dir() else root


def version_numbers(version: str) -> tuple[int, ...]:
    """The three numbers of a version, written `1.0.0` or `1-0-0`."""
    return tuple(map(int, re.split("[.-]", version)))


def schema_roots(start: Path) -> list[Path]:
    """The directories in which schemas are looked up, in this order: one rule for every command.

    The nearest directory `schemas` in `start`, a transform's or a registry's directory, or above it. If that one is
    inside a directory `transforms`, the `schemas` next to that directory follows. Empty if there is none.
    """
    above = (start, *start.parents, *start.absolute().parents)  # relative paths first, as messages show them
    nearest = next((place for place in above if (place / "schemas").is_dir()), None)
    if nearest is None:
        return []
    places = [nearest]
    if nearest.absolute().name == "transforms":
        places.append(nearest.parent if nearest.name else nearest.absolute().parent)
    return [place / "schemas" for place in places if (place / "schemas").is_dir()]


def named(entries: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    """The value of the first of `keys` that metadata has; None if it has none of them."""
    return next((entries[key] for key in keys if entries.get(key) is not None), None)


def spec_of(meta_path: Path, spec_path: str | None) -> Path:
    """The spec of a metadata file: its `spec_path`, otherwise the file with the same name."""
    return meta_path.parent / (spec_path or meta_path.name.removesuffix(SUFFIX) + ".jsonata")


def is_below(text: Any) -> bool:
    """Whether a value is a relative path that stays below its directory."""
    if not isinstance(text, str) or "\0" in text:
        return False
    path = PurePosixPath(text)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts


def read_bytes(path: Path, missing: Code = Code.TRANSFORM_MISSING, invalid: Code = Code.TRANSFORM_TAMPERED) -> bytes:
    """A registry file's bytes. Raises Failure with the code `missing` if there is no file, and with the code `invalid`
    for a link, a device, a pipe, or a file larger than 4 MiB.
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
        failure = Failure(invalid, f"{path}: is a link; a registry must contain the files themselves")
    elif failure and failure.code is Code.MISSING:
        failure = Failure(missing, failure.message)
    elif not failure and not regular:
        failure = Failure(invalid, f"{path}: not a regular file")
    elif not failure and len(content) > _LARGEST:
        failure = Failure(invalid, f"{path}: larger than {_LARGEST:,} bytes")
    if failure:
        raise failure
    return content


def _without_links(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)  # opening a pipe would block


def _versions(directory: Path) -> Iterator[Path]:
    if directory.is_dir():
        for entry in directory.iterdir():
            if _VERSION.fullmatch(entry.name) and (entry / VERSIONED).is_file():
                yield entry / VERSIONED


def _order(meta_path: Path) -> tuple[tuple[int, ...], str]:
    return version_numbers(meta_path.parent.name), meta_path.parent.name
