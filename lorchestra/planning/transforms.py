"""What the pipeline needs to know of a transform: the type that it makes, and whether it changed.

How transforms work is the canonizer's business. Here its metadata is read for three things: the files it consists of,
the name in its target schema, and one digest over all of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lorchestra.base import yaml_document
from lorchestra.base.errors import Code, Failure
from lorchestra.records import iglu, names, registry


class Transform(NamedTuple):
    """A transform as the graph sees it. `files` are its metadata, its spec, its schemas and those they refer to."""

    id: str
    meta: Path
    type: str
    files: tuple[Path, ...]
    fingerprint: str
    digests: Mapping[str, str]
    """What a job requires of the worker: the digests of the metadata and the spec, by their names in the lineage."""
    version: str = ""


def resolve(root: Path, schemas: Path, transform_id: str) -> Transform:
    """Find a transform by its id.

    Raises Failure(USAGE | TRANSFORM_MISSING | TRANSFORM_INVALID | TRANSFORM_TAMPERED), ConfigFailure where the
    metadata is not YAML. A spec or schema that is not there is left for the canonizer to refuse; it counts in the
    fingerprint as absent.
    """
    meta = registry.locate(root, transform_id)
    document = yaml_document.load(registry.read_bytes(meta), str(meta)).value
    entries = document if isinstance(document, dict) else {}
    source, target = (_schema_key(entries, keys) for keys in (registry.FROM_SCHEMA, registry.TO_SCHEMA))
    if target is None or not names.is_type(target.name):
        raise Failure(Code.TRANSFORM_INVALID, f"{meta}: it names no target schema")
    roots = [key for key in (source, target) if key]
    files = (meta, _spec(meta, entries), *_closure(iglu.SchemaRegistry(schemas), roots))
    digests = {"meta_sha256": _sha256(files[0]), "spec_sha256": _sha256(files[1])}
    return Transform(
        transform_id, meta, target.name, files, _fingerprint(files), digests, str(entries.get("version") or "")
    )


def _schema_key(entries: dict[str, Any], keys: tuple[str, ...]) -> iglu.SchemaKey | None:
    uri = registry.named(entries, keys)
    return iglu.parse(uri) if isinstance(uri, str) else None


def _spec(meta: Path, entries: dict[str, Any]) -> Path:
    spec_path = entries.get("spec_path")
    if spec_path is not None and not registry.is_below(spec_path):
        raise Failure(Code.TRANSFORM_INVALID, f"{meta}: spec_path must be a path below the metadata's directory")
    return registry.spec_of(meta, spec_path)


def _closure(schemas: iglu.SchemaRegistry, keys: list[iglu.SchemaKey]) -> Iterator[Path]:
    """The files of the schemas, and of those that they refer to."""
    seen = set[iglu.SchemaKey]()
    while keys:
        key = keys.pop()
        if key in seen:
            continue
        seen.add(key)
        try:
            schema = schemas.load(str(key))
        except Failure:
            yield next(schemas.places(key))
            continue
        yield schema.path
        keys += iglu.references(schema)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes() if path.is_file() else b"").hexdigest()


def _fingerprint(files: tuple[Path, ...]) -> str:
    digest = hashlib.sha256()
    for path in files:
        content = path.read_bytes() if path.is_file() else b""
        digest.update(f"{path.name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()
