"""Transforms in a registry: each file is read once, and the bytes that are checked are those that run."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

from lorchestra.base.errors import Code, Failure, visible
from lorchestra.components.canonizer.registry import metadata
from lorchestra.components.canonizer.registry.metadata import Metadata
from lorchestra.records import registry
from lorchestra.records.registry import SUFFIX, VERSIONED, home, read_bytes, spec_of


class Transform(NamedTuple):
    """A transform whose bytes have been read. `sound`: they match the checksum in the metadata."""

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

    Raises Failure(TRANSFORM_MISSING) if a file does not exist, (TRANSFORM_TAMPERED) if the spec's bytes do not
    match the checksum or a file is a link, (TRANSFORM_INVALID) for a spec without a checksum or not UTF-8,
    ConfigFailure for faulty metadata.
    """
    meta_content = read_bytes(meta_path)
    meta = metadata.parse(meta_content, str(meta_path))
    spec_path = spec_of(meta_path, meta.spec_path)
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


def every(root: Path) -> list[Path]:
    """All metadata files of a registry, in the order of their paths. Raises Failure(MISSING)."""
    if not root.is_dir():
        raise Failure(Code.MISSING, f"{root}: no such directory")
    return below(home(root), SUFFIX)


def below(root: Path, suffix: str = "") -> list[Path]:
    """The files below a directory, sorted by path; none if the directory does not exist.

    Hidden files and directories are ignored, links are not followed. Raises OSError if a directory cannot be read.
    """
    found: list[Path] = []
    for directory, inner, names in os.walk(root, onerror=_refuse) if root.is_dir() else ():
        inner[:] = [name for name in inner if not name.startswith(".")]
        found += [Path(directory, name) for name in names if name.endswith(suffix) and not name.startswith(".")]
    return sorted(found)


def name_of(root: Path, meta_path: Path) -> str:
    """The name by which `registry.locate` finds a metadata file of a registry, as messages hold it."""
    path = meta_path.relative_to(home(root))
    if path.name == VERSIONED:
        return visible(f"{path.parent.parent.as_posix()}@{path.parent.name}")
    return visible(path.as_posix().removesuffix(SUFFIX))


def schema_roots(meta_path: Path) -> list[Path]:
    """Where the schemas of a transform are looked up; see `registry.schema_roots`. Raises Failure(SCHEMA_MISSING)."""
    roots = registry.schema_roots(meta_path.parent)
    if not roots:
        raise Failure(
            Code.SCHEMA_MISSING,
            f"{meta_path}: no directory `schemas` next to it or above it",
            advice="Name the directory of the schemas with --schemas.",
        )
    return roots


def _refuse(error: OSError) -> None:
    raise error


def _check(meta_path: Path, spec_path: Path, expected: str | None, found: str) -> None:
    if expected is None:
        raise Failure(
            Code.TRANSFORM_INVALID,
            f"{meta_path}: no checksum in the metadata",
            advice="Review the spec, then run `can registry checksum --write`.",
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
    if meta_path.name == VERSIONED:
        return "/".join(meta_path.absolute().parts[-4:-2])
    return f"{meta_path.absolute().parent.name}/{meta_path.name.removesuffix(SUFFIX)}"
