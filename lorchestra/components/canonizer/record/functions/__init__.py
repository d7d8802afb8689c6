"""The functions that transforms may call in addition to JSONata's own: the same under each engine, total and bounded.

A transform gets the functions that its text mentions, so that nothing is imported that is not used. An engine passes a
missing argument as None, and engines differ in what they make of a None that is returned. So a function returns an
array of at most one value, and a prelude of plain JSONata takes the value out. Missing in, missing out, as in JSONata.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple


class _Place(NamedTuple):
    module: str
    function: str
    parameters: str  # of the prelude's function; empty: registered under its own name


_PLACES: Mapping[str, _Place] = {
    "mimeText": _Place("mail", "mime_text", "$data, $charset"),
    "mimeHeader": _Place("mail", "mime_header", "$text"),
    "addresses": _Place("mail", "addresses", ""),
    "isoDate": _Place("dates", "iso_date", "$value"),
    "htmlText": _Place("markup", "html_text", "$html"),
    "htmlToText": _Place("markup", "html_text", "$html"),
    "htmlMarkdown": _Place("markdown", "html_markdown", "$html"),
    "htmlToMarkdown": _Place("markdown", "html_markdown", "$html"),
    "base64decode": _Place("mail", "base64decode", ""),
}
NAMES = tuple(_PLACES)
"""Without `$`. `htmlToText` and `htmlToMarkdown` are the names that other registries use."""


def mentioned(source: str) -> list[str]:
    """The names, without `$`, of the host functions that a source mentions."""
    return [name for name in _PLACES if re.search(rf"\${name}\b", source)]


def used_by(source: str) -> tuple[str, Mapping[str, Callable[..., Any]]]:
    """The prelude to put before the source, "" if none is needed; the functions to register by name without `$`."""
    functions: dict[str, Callable[..., Any]] = {}
    prelude = []
    for name in mentioned(source):
        place = _PLACES[name]
        function = getattr(import_module(f"{__name__}.{place.module}"), place.function)
        functions[f"{name}_" if place.parameters else name] = function
        if place.parameters:
            prelude.append(f"${name} := function({place.parameters}) {{ ${name}_({place.parameters})[0] }};")
    return " ".join(prelude), functions
