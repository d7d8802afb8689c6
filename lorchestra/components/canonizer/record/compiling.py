"""From a metadata file or a schema to a converter: read, check, compile; and whether that is still what lies there."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lorchestra.base.errors import Code, Failure
from lorchestra.components.canonizer.record import engines, functions
from lorchestra.components.canonizer.record.converter import Converter
from lorchestra.components.canonizer.record.engines import Engine, Evaluate, SyntaxFault
from lorchestra.components.canonizer.record.requests import Check, Order
from lorchestra.components.canonizer.record.schemas import Schemas
from lorchestra.components.canonizer.registry import transforms
from lorchestra.components.canonizer.registry.transforms import Transform
from lorchestra.records import iglu
from lorchestra.records.registry import read_bytes

_SOURCE = re.compile(r"\$source\b")


class Prepared(NamedTuple):
    """A converter, what it is, and the SHA-256 of every file that it was made of."""

    converter: Converter
    identity: dict[str, Any]
    files: Mapping[Path, str]


def prepare(order: Order | Check) -> Prepared:
    """Read and compile what is ordered. Raises Failure with a code of the registry, or USAGE."""
    return _transform(order) if isinstance(order, Order) else _check(order)


def _transform(order: Order) -> Prepared:
    meta_path = Path(order.meta)
    transform = transforms.load(meta_path, require_checksum=order.require_checksum)
    schemas = Schemas(Path(order.schemas) if order.schemas else transforms.schemas_of(meta_path))
    before = schemas.validator(transform.meta.from_schema)
    after = schemas.validator(transform.meta.to_schema)
    engine = engines.load(order.engine or transform.meta.engine)
    told = {
        "id": transform.id,
        "version": transform.meta.version,
        "spec_sha256": transform.spec_sha256,
        "meta_sha256": transform.meta_sha256,
        "from_schema": str(before.schema.key),
        "from_schema_sha256": before.schema.sha256,
        "to_schema": str(after.schema.key),
        "to_schema_sha256": after.schema.sha256,
    }
    files = {transform.meta_path: transform.meta_sha256, transform.spec_path: transform.spec_sha256, **schemas.files()}
    identity = {
        "key": _key(order, files),
        "transform": told,
        "engine": engine.NAME,
        "engine_version": engine.version(),
    }
    return Prepared(Converter(before, compiled(engine, transform, order.source), after), identity, files)


def _check(order: Check) -> Prepared:
    """A converter that drops the records that fit a schema."""
    schemas = Schemas(Path(order.schemas))
    named = iglu.parse(order.schema) is not None
    validator = schemas.validator(order.schema) if named else schemas.in_file(Path(order.schema))
    files = {validator.schema.path: validator.schema.sha256, **schemas.files()}
    return Prepared(Converter(validator, lambda _: None, validator), {"key": _key(order, files)}, files)


def _key(order: Order | Check, files: Mapping[Path, str]) -> str:
    return hashlib.sha256(repr((order, sorted(files.items()))).encode()).hexdigest()


def is_current(prepared: Prepared) -> bool:
    """Whether the files that a converter was made of still hold the same bytes."""
    try:
        return all(hashlib.sha256(read_bytes(path)).hexdigest() == sha256 for path, sha256 in prepared.files.items())
    except Failure:
        return False


def compiled(engine: Engine, transform: Transform, name: str = "") -> Evaluate:
    """A transform's spec, ready to evaluate; `name` becomes its `$source`. Raises Failure(TRANSFORM_INVALID)."""
    source, used = functions.used_by(transform.spec)
    if name and _SOURCE.search(transform.spec):
        source = f"( $source := {json.dumps(name)};\n{source}\n)"
    try:
        engine.compile(transform.spec, {})  # by itself: what stands around it must not make it whole
        return engine.compile(source, used)
    except SyntaxFault:
        pass
    raise Failure(Code.TRANSFORM_INVALID, f"{transform.spec_path}: not a JSONata expression")
