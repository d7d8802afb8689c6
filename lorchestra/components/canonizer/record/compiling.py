"""From a metadata file or a schema to a converter: read, check, compile; and whether the files are still the same."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lorchestra.base import yaml_document
from lorchestra.base.errors import Code, Failure
from lorchestra.components.canonizer.record import engines, functions, places
from lorchestra.components.canonizer.record.converter import Converter, Program
from lorchestra.components.canonizer.record.engines import Engine, SyntaxFault
from lorchestra.components.canonizer.record.requests import Check, Order
from lorchestra.components.canonizer.record.schemas import Schemas
from lorchestra.components.canonizer.registry import transforms
from lorchestra.components.canonizer.registry.transforms import Transform
from lorchestra.records import iglu
from lorchestra.records.registry import read_bytes

_SOURCE = re.compile(r"\$source\b")


class Prepared(NamedTuple):
    """A converter, its identity, and the SHA-256 of every file that it was made of."""

    converter: Converter
    identity: dict[str, Any]
    files: Mapping[Path, str]


def prepare(request: Order | Check) -> Prepared:
    """Read and compile what is requested. Raises Failure with a code of the registry, or USAGE."""
    return _transform(request) if isinstance(request, Order) else _check(request)


def _transform(order: Order) -> Prepared:
    meta_path = Path(order.meta)
    transform = transforms.load(meta_path, require_checksum=order.require_checksum)
    schemas = Schemas([Path(root) for root in order.schemas] or transforms.schema_roots(meta_path))
    before = schemas.validator(transform.meta.from_schema)
    after = schemas.validator(transform.meta.to_schema)
    engine = _engine(order, transform)
    description = {
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
        "transform": description,
        "engine": engine.NAME,
        "engine_version": engine.version(),
    }
    program = compiled(engine, transform, order.source)
    return Prepared(Converter(before, program, after if order.checks_output else None), identity, files)


def _engine(order: Order, transform: Transform) -> Engine:
    if order.engine:
        return engines.load(order.engine)
    try:
        return engines.load(transform.meta.engine or engines.DEFAULT)
    except Failure as failure:
        place = yaml_document.load(read_bytes(transform.meta_path), str(transform.meta_path)).place(("engine",))
        where = f"{transform.meta_path}:{place.line}:{place.column}"
        raise Failure(failure.code, f"{where}: engine: {failure.message}", advice=failure.advice) from None


def _check(check: Check) -> Prepared:
    """A converter that drops the records that match a schema."""
    schemas = Schemas([Path(root) for root in check.roots])
    by_name = iglu.parse(check.schema) is not None
    validator = schemas.validator(check.schema) if by_name else schemas.in_file(Path(check.schema))
    files = {validator.schema.path: validator.schema.sha256, **schemas.files()}
    return Prepared(Converter(validator, Program(lambda _: None), validator), {"key": _key(check, files)}, files)


def _key(request: Order | Check, files: Mapping[Path, str]) -> str:
    return hashlib.sha256(repr((request, sorted(files.items()))).encode()).hexdigest()


def is_current(prepared: Prepared) -> bool:
    """Whether the files that a converter was made of still hold the same bytes."""
    try:
        return all(hashlib.sha256(read_bytes(path)).hexdigest() == sha256 for path, sha256 in prepared.files.items())
    except Failure:
        return False


def compiled(engine: Engine, transform: Transform, source: str = "") -> Program:
    """A transform's spec, ready to evaluate; `source` becomes its `$source`. Raises Failure(TRANSFORM_INVALID)."""
    _require_extensions(transform)
    spec = transform.spec
    try:
        engine.compile(spec, {})  # by itself: the text around it must not complete it
    except SyntaxFault as fault:
        raise Failure(Code.TRANSFORM_INVALID, syntax_error(transform, fault), advice=_EDIT) from None
    prelude, used = functions.used_by(spec)
    if source and _SOURCE.search(spec):
        prelude += f"$source := {json.dumps(source)};"
    if not prelude:
        return Program(engine.compile(spec, used), functools.partial(places.place, spec))
    start = f"( {prelude}\n"
    evaluate = engine.compile(f"{start}{spec}\n)", used)
    return Program(evaluate, lambda position: places.place(spec, position - len(start)))


_EDIT = "Edit the spec at this place, then run `can registry checksum --write`."


def syntax_error(transform: Transform, fault: SyntaxFault) -> str:
    """What is wrong with a spec, as `PATH:3:14: not JSONata: S0201 at "]"`."""
    position = fault.position if fault.position is not None else _position(transform.spec)
    reason = f"not a JSONata expression{f': {fault.code}' if fault.code else ''}"
    if position is None:
        return f"{transform.spec_path}: {reason}"
    line, column = places.line_and_column(transform.spec, position)
    token = places.token(transform.spec, position)
    return f"{transform.spec_path}:{line}:{column}: {reason} at {f'`{token}`' if token else 'the end of the spec'}"


def _position(spec: str) -> int | None:
    """Where the default engine, which knows positions, finds the error that another engine reported."""
    try:
        engines.load(engines.DEFAULT).compile(spec, {})
    except SyntaxFault as fault:
        return fault.position
    except Failure:
        pass
    return None


def _require_extensions(transform: Transform) -> None:
    for name, place in transform.meta.extensions.items():
        if name not in functions.NAMES:
            raise Failure(
                Code.TRANSFORM_INVALID,
                f"{transform.meta_path}:{place.line}:{place.column}: extensions: there is no host function ${name}",
                advice=f"Use one of {', '.join(f'${known}' for known in functions.NAMES)}, or write it in JSONata.",
            )
