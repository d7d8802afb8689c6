"""References to environment variables in a YAML document: `${NAME}`, `${NAME:-default}`; `$${` is a plain `${`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lorchestra.base import yaml_schema
from lorchestra.base.errors import Finding
from lorchestra.base.yaml_document import Document, Path

_REFERENCE = re.compile(r"\$\$\{|\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-((?:(?!\$\{)[^}])*))?\})?")
_MALFORMED = "`${` begins ${NAME} or ${NAME:-default}; write $${ for the text itself"
_INTEGER = re.compile(r"0|[1-9][0-9]{0,6}")  # eight digits are a date, which stays text
_DECIMAL = re.compile(r"(?:0|[1-9][0-9]{0,6})\.[0-9]{1,9}")


def fill(document: Document, environment: Mapping[str, str]) -> tuple[Document, list[Finding]]:
    """The document with all references in values replaced, and the faults. Keys are not changed.

    A value that consists of one reference can become a number or a truth value. Findings name variables, not values.
    """
    findings: list[Finding] = []

    def walk(value: Any, path: Path) -> Any:
        if isinstance(value, dict):
            return {key: walk(inner, (*path, key)) for key, inner in value.items()}
        if isinstance(value, list):
            return [walk(inner, (*path, at)) for at, inner in enumerate(value)]
        if not isinstance(value, str):
            return value
        filled, faults = _filled(value, environment)
        findings.extend(Finding(*document.place(path), fault) for fault in faults)
        return filled

    return Document(walk(document.value, ()), document.places), findings


def _filled(text: str, environment: Mapping[str, str]) -> tuple[Any, list[str]]:
    faults: list[str] = []

    def replace(match: re.Match[str]) -> str:
        name, default = match.groups()
        if match.group() == "$${":
            return "${"
        if name is None:
            faults.append(_MALFORMED)
            return ""
        if name not in environment and default is None:
            faults.append(f"the environment variable {yaml_schema.shown(name)} is not set")
        return environment.get(name) or default or ""

    replaced = _REFERENCE.sub(replace, text)
    whole = _REFERENCE.fullmatch(text)
    return _scalar(replaced) if whole and whole.group(1) else replaced, faults


def _scalar(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text) else text
