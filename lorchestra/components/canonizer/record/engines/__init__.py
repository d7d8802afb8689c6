"""The port behind which JSONata engines are. Nothing else imports one.

`jlens` is the default engine; docs/canonizer.md has the figures behind this choice. Another package adds an engine as
an object with the members of `Engine` in the entry-point group `lorchestra.engines`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib import import_module, metadata
from importlib.util import find_spec
from typing import Any, Protocol

from lorchestra import __version__
from lorchestra.base import extensions
from lorchestra.base.errors import Code, Failure
from lorchestra.components.canonizer.record.rules import Rule

HostFunction = Callable[..., Any]
Evaluate = Callable[[str], str | None]
"""JSON text in, JSON text out; None is JSONata's undefined. Raises EvaluationFault. The caller limits the time."""

DEFAULT = "jlens"
BUILT_IN = ("jlens", "jsonatapy")
GROUP = "lorchestra.engines"
DEPTH = 400
"""Calls within calls."""
LONGEST_SEQUENCE = 1_000_000

_CODE = re.compile(r"\b([DSTU]\d{4})\b")
_RULES = {"D1011": Rule.DEPTH_LIMIT, "U1001": Rule.DEPTH_LIMIT, "D2015": Rule.SIZE_LIMIT}


class SyntaxFault(Exception):
    """A source that is not a JSONata expression.

    `code` is JSONata's error code, "" if the engine gives none; `position` counts characters from 0 to the token at
    fault, None if the engine does not say.
    """

    def __init__(self, code: str = "", position: int | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.position = position


class EvaluationFault(Exception):
    """An evaluation that failed, by its rule: never the engine's message, which quotes values.

    `position` is the place of the failed call or operator in the source, in characters from 0; None if unknown.
    """

    def __init__(self, rule: str, position: int | None = None) -> None:
        super().__init__(rule)
        self.rule = rule
        self.position = position


class Engine(Protocol):
    """What an adapter module, or the object behind an entry point, offers."""

    NAME: str

    @staticmethod
    def version() -> str:
        """The version of the engine's package."""

    @staticmethod
    def compile(source: str, functions: Mapping[str, HostFunction]) -> Evaluate:
        """Compile a transform. Raises SyntaxFault. The result belongs to the process and thread that compiled it."""


def canonizer_version() -> str:
    """What `can --version` prints: everything that decides what a transform makes of a record, apart from its files."""
    engines = []
    for package in BUILT_IN:
        try:
            engines.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            continue
    return f"can {__version__} ({', '.join(engines)})"


def load(name: str) -> Engine:
    """The adapter of an engine. Raises Failure(USAGE) for a name that is unknown or not installed."""
    if name in BUILT_IN:  # found without reading the entry points of every installed package
        try:
            return import_module(f"{__name__}.{name}")  # type: ignore[return-value]
        except ModuleNotFoundError:
            advice = f"Install it: pip install 'lorchestra[{name}]'"
            raise Failure(Code.USAGE, f"the engine {name} is not installed", advice=advice) from None
    if not extensions.provides(GROUP, name):
        raise Failure(Code.USAGE, f"unknown engine {name!a}", advice=f"Use one of: {', '.join(installed())}.")
    engine: Engine = extensions.load(GROUP, name)
    missing = [member for member in ("NAME", "version", "compile") if not hasattr(engine, member)]
    if missing:
        raise Failure(Code.COMPONENT_FAILED, f"the engine {name!a} has no {' and no '.join(missing)}")
    return engine


def installed() -> list[str]:
    """The engines that can be loaded, the default first, those of other packages last."""
    from importlib.metadata import entry_points

    own = [name for name in BUILT_IN if find_spec(name)]
    return [*own, *sorted({entry.name for entry in entry_points(group=GROUP)} - set(BUILT_IN))]


def code_in(message: str) -> str:
    """JSONata's error code in an engine's message; "" if there is none."""
    match = _CODE.search(message)
    return match[1] if match else ""


def rule_of(message: str) -> str:
    """The rule at the beginning of an engine's message: one of ours, or JSONata's own code."""
    match = _CODE.match(message)
    return Rule.EVALUATION if match is None else _RULES.get(match[1], match[1])
