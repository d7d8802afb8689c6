"""What the pipeline needs to know of a transform: the type that it makes, and whether it changed.

How transforms work is the canonizer's business. Here its metadata is read for three things: the files it consists of,
the name in its target schema, and one digest over all of them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from lorchestra.base import iglu, names, strictyaml
from lorchestra.base.errors import Code, Failure

_REFERENCE = re.compile(rb'"(iglu:[^"]+)"')
_VERSION = re.compile(r"\d+\.\d+\.\d+")


class Transform(NamedTuple):
    """A transform as the graph sees it. `files` are its metadata, its spec, its schemas and those they refer to."""

    id: str
    meta: Path
    type: str
    files: tuple[Path, ...]
    fingerprint: str


def resolve(registry: Path, schemas: Path, transform_id: str) -> Transform:
    """Find a transform by its id.

    Raises Failure(TRANSFORM_MISSING | TRANSFORM_INVALID). A spec or schema that is not there is left for the
    canonizer to refuse; it counts in the fingerprint as absent.
    """
    meta = locate(registry, transform_id)
    document = strictyaml.load(meta.read_bytes(), str(meta)).value
    entries = document if isinstance(document, dict) else {}
    target = iglu.parse(str(entries.get("to_schema") or entries.get("output_schema")))
    if target is None or not names.is_type(target.name):
        raise Failure(Code.TRANSFORM_INVALID, f"{meta}: it names no target schema")
    source = entries.get("from_schema") or entries.get("input_schema")
    files = (meta, _spec(meta, entries), *_closure(iglu.SchemaRegistry(schemas), [str(source), str(target)]))
    return Transform(transform_id, meta, target.name, files, _fingerprint(files))


def locate(registry: Path, transform_id: str) -> Path:
    """The metadata file of `email/x_v1`, `email/x@1.0.0` or `email/x@latest`. Raises Failure(TRANSFORM_MISSING)."""
    if not names.is_transform(transform_id):
        raise Failure(Code.TRANSFORM_MISSING, "a transform's name is not of the form folder/name or folder/name@1.0.0")
    name, _, version = transform_id.partition("@")
    for root in (registry, registry / "transforms"):
        flat = root / f"{name}.meta.yaml"
        if not version and flat.is_file():
            return flat
        versions = [version] if version and version != "latest" else _versions(root / name)
        path = root / name / versions[-1] / "spec.meta.yaml" if versions else flat
        if path.is_file():
            return path
    raise Failure(Code.TRANSFORM_MISSING, f"the transform {transform_id} is not in {registry}")


def _versions(directory: Path) -> list[str]:
    if not directory.is_dir():
        return []
    found = [entry.name for entry in directory.iterdir() if _VERSION.fullmatch(entry.name)]
    return sorted(found, key=lambda version: tuple(map(int, version.split("."))))


def _spec(meta: Path, entries: dict[str, Any]) -> Path:
    named = entries.get("spec_path")
    return meta.parent / (named if isinstance(named, str) else meta.name.replace(".meta.yaml", ".jsonata"))


def _closure(schemas: iglu.SchemaRegistry, uris: list[str]) -> Iterator[Path]:
    seen: set[str] = set()
    while uris:
        uri = uris.pop()
        key = iglu.parse(uri)
        if uri in seen or key is None:
            continue
        seen.add(uri)
        try:
            path = schemas.load(uri).path
            uris += [match.decode() for match in _REFERENCE.findall(path.read_bytes())]
        except Failure:
            path = schemas.root / key.vendor / key.name / key.format / key.version
        yield path


def _fingerprint(files: tuple[Path, ...]) -> str:
    digest = hashlib.sha256()
    for path in files:
        content = path.read_bytes() if path.is_file() else b""
        digest.update(f"{path.name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()
