"""The functions that transforms may call beside JSONata's own: the same under each engine, total, and bounded.

A transform gets those that its text mentions, so that nothing is imported that is not used. An engine hands a missing
argument over as None, and each has its own idea of a None that comes back: so a function answers with an array of at
most one value, and a prelude of plain JSONata takes the value out. Missing in, missing out, as the language has it.
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
    "base64decode": _Place("mail", "base64decode", ""),
}
NAMES = tuple(_PLACES)


def mentioned(source: str) -> list[str]:
    """The names, without `$`, of the host functions that a source mentions."""
    return [name for name in _PLACES if re.search(rf"\${name}\b", source)]


def used_by(source: str) -> tuple[str, Mapping[str, Callable[..., Any]]]:
    """The source to compile and the functions to register for it, by name without `$`."""
    functions: dict[str, Callable[..., Any]] = {}
    prelude = []
    for name in mentioned(source):
        place = _PLACES[name]
        function = getattr(import_module(f"{__name__}.{place.module}"), place.function)
        functions[f"{name}_" if place.parameters else name] = function
        if place.parameters:
            prelude.append(f"${name} := function({place.parameters}) {{ ${name}_({place.parameters})[0] }};")
    if not prelude:
        return source, functions
    return f"( {' '.join(prelude)}\n{source}\n)", functions
