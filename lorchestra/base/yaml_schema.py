"""What is wrong with a YAML document by a JSON Schema: every fault, with its place and its near miss, without a value.

Where a part of the schema has a `description`, that sentence says what was expected there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from lorchestra.base.errors import Finding
from lorchestra.base.yaml_document import Document

_LONGEST_KEY = 60
_RULES = {
    "minimum": "is too small",
    "exclusiveMinimum": "is too small",
    "maximum": "is too large",
    "minLength": "must not be empty",
    "maxLength": "is too long",
    "minItems": "must not be empty",
}
_KINDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "text in quotes",
    "integer": "a whole number",
    "boolean": "true or false",
}


def judge(document: Document, schema: dict[str, Any]) -> Iterator[Finding]:
    """The faults of a document by a schema of draft 2020-12. Nothing is fetched."""
    for error in _validator(schema).iter_errors(document.value):
        yield from _findings(error, document)


def shown(key: str) -> str:
    """A key as people may see it: short, and without characters that would steer a terminal."""
    return "".join(c if c.isprintable() else "?" for c in key[:_LONGEST_KEY])


def _validator(schema: dict[str, Any]) -> Any:
    """`$` is the end of the text, where Python's also stands before a last newline. And 3.0 is no whole number: the
    programs that would get it as an argument refuse it.
    """
    import jsonschema
    import referencing

    def pattern(_validator: Any, expression: str, instance: object, _schema: object) -> Iterator[Any]:
        if isinstance(instance, str) and not re.search(re.sub(r"\$$", r"\\Z", expression), instance):
            yield jsonschema.ValidationError("pattern")

    draft = jsonschema.Draft202012Validator
    types = draft.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
    strict = jsonschema.validators.extend(draft, {"pattern": pattern}, type_checker=types)  # type: ignore[no-untyped-call]
    return strict(schema, registry=referencing.Registry())


def _findings(error: Any, document: Document) -> Iterator[Finding]:
    path = tuple(error.absolute_path)
    place = document.place(path)
    name = f"`{shown(path[-1])}`" if path and isinstance(path[-1], str) else "this value"
    rule, wanted = error.validator, error.validator_value
    if rule == "additionalProperties":
        known = error.schema.get("properties", {})
        for key in sorted(set(error.instance) - set(known)):
            yield Finding(*document.place((*path, key)), f"unknown key `{shown(key)}`{_near_miss(key, known)}")
    elif rule == "required":
        for key in (key for key in wanted if key not in error.instance):
            yield Finding(*place, f"`{key}` is missing{f' in {name}' if path else ''}")
    elif rule == "enum":
        yield Finding(*place, f"{name} must be one of {', '.join(wanted)}{_near_miss(error.instance, wanted)}")
    elif rule == "type":
        kinds = wanted if isinstance(wanted, list) else [wanted]
        yield Finding(*place, f"{name} must be {' or '.join(_KINDS.get(kind, f'a {kind}') for kind in kinds)}")
    elif "propertyNames" in error.absolute_schema_path:
        yield Finding(*document.place((*path, error.instance)), error.schema["description"])
    else:
        said = _RULES.get(rule) or error.schema.get("description") or "is not valid"
        yield Finding(*place, f"{name} {said}")


def _near_miss(word: object, known: Iterable[str]) -> str:
    import difflib

    if not isinstance(word, str):
        return ""
    close = difflib.get_close_matches(word[:_LONGEST_KEY], known, n=1, cutoff=0.6)
    return f"; did you mean `{close[0]}`?" if close else ""
