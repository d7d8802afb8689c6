"""What the pipeline needs to know of a transform: the type that it makes, and whether it changed.

How transforms work is the canonizer's business. Here its metadata is read for three things: the files it consists of,
the name in its target schema, and one digest over all of them.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from lorchestra.base import iglu, names, strictyaml
from lorchestra.base.errors import Code, Failure

_VERSION = re.compile(r"[0-9]{1,6}\.[0-9]{1,6}\.[0-9]{1,6}")


_SCHEMA_NAMES = (("from_schema", "input_schema"), ("to_schema", "output_schema"))


class Transform(NamedTuple):
    """A transform as the graph sees it. `files` are its metadata, its spec, its schemas and those they refer to."""

    id: str
    meta: Path
    type: str
    files: tuple[Path, ...]
    fingerprint: str


def resolve(registry: Path, schemas: Path, transform_id: str) -> Transform:
    """Find a transform by its id.

    Raises Failure(TRANSFORM_MISSING | TRANSFORM_INVALID), ConfigFailure where the metadata is not YAML. A spec or
    schema that is not there is left for the canonizer to refuse; it counts in the fingerprint as absent.
    """
    meta = locate(registry, transform_id)
    document = strictyaml.load(meta.read_bytes(), str(meta)).value
    entries = document if isinstance(document, dict) else {}
    source, target = (_schema_key(entries, *keys) for keys in _SCHEMA_NAMES)
    if target is None or not names.is_type(target.name):
        raise Failure(Code.TRANSFORM_INVALID, f"{meta}: it names no target schema")
    roots = [key for key in (source, target) if key]
    files = (meta, _spec(meta, entries), *_closure(iglu.SchemaRegistry(schemas), roots))
    return Transform(transform_id, meta, target.name, files, _fingerprint(files))


def locate(registry: Path, transform_id: str) -> Path:
    """The metadata file of `email/x_v1`, `email/x@1.0.0` or `email/x@latest`. Raises Failure(TRANSFORM_MISSING)."""
    if not names.is_transform(transform_id):
        raise Failure(Code.TRANSFORM_MISSING, "a transform's name is not of the form folder/name or folder/name@1.0.0")
    name, _, version = transform_id.partition("@")
    for root in (registry / "transforms", registry):
        flat = root / f"{name}.meta.yaml"
        if not version and flat.is_file():
            return flat
        found = _versions(root / name)
        if version in ("", "latest") and found:
            return max(found.items(), key=_order)[1]
        if version in found:
            return found[version]
    raise Failure(Code.TRANSFORM_MISSING, f"the transform {transform_id} is not in {registry}")


def _versions(directory: Path) -> dict[str, Path]:
    """The metadata files of a transform's versions."""
    if not directory.is_dir():
        return {}
    found = {e.name: e / "spec.meta.yaml" for e in directory.iterdir() if _VERSION.fullmatch(e.name)}
    return {version: path for version, path in found.items() if path.is_file()}


def _order(version: tuple[str, Path]) -> tuple[int, ...]:
    return tuple(map(int, version[0].split(".")))


def _schema_key(entries: dict[str, Any], *keys: str) -> iglu.SchemaKey | None:
    named = next((entries[key] for key in keys if entries.get(key)), None)
    return iglu.parse(named) if isinstance(named, str) else None


def _spec(meta: Path, entries: dict[str, Any]) -> Path:
    named = entries.get("spec_path") or meta.name.replace(".meta.yaml", ".jsonata")
    if not isinstance(named, str) or named.startswith("/") or ".." in named.split("/"):
        raise Failure(Code.TRANSFORM_INVALID, f"{meta}: spec_path must be a path below the metadata's directory")
    return meta.parent / named


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
            yield schemas.root / key.vendor / key.name / key.format / key.version
            continue
        yield schema.path
        keys += _references(schema.document, key)


def _references(node: Any, key: iglu.SchemaKey) -> Iterator[iglu.SchemaKey]:
    """The schemas that a `$ref` names, by an Iglu URI or relative to the schema's own."""
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _references(inner, key)
    reference = node.get("$ref") if isinstance(node, dict) else None
    if isinstance(reference, str):
        place = posixpath.join(posixpath.dirname(str(key).removeprefix("iglu:")), reference.partition("#")[0])
        named = reference.partition("#")[0] if reference.startswith("iglu:") else f"iglu:{posixpath.normpath(place)}"
        if found := iglu.parse(named):
            yield found


def _fingerprint(files: tuple[Path, ...]) -> str:
    digest = hashlib.sha256()
    for path in files:
        content = path.read_bytes() if path.is_file() else b""
        digest.update(f"{path.name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()
