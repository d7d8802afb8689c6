"""The port behind which a JSONata engine stands. Nothing else imports one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib import import_module, metadata
from typing import Any, Protocol

from lorchestra import __version__
from lorchestra.base.errors import Code, Failure
from lorchestra.components.canonizer.record.rules import Rule

HostFunction = Callable[..., Any]
Evaluate = Callable[[str], str | None]
"""JSON text in, JSON text out; None is JSONata's undefined. Raises EvaluationFault. Who calls it sees to the time."""

DEPTH = 400
LONGEST_SEQUENCE = 1_000_000

_MODULES = {"jsonatapy": "jsonatapy", "jlens": "jlens"}
_CODE = re.compile(r"\b([DSTU]\d{4})\b")
_RULES = {"D1011": Rule.DEPTH_LIMIT, "U1001": Rule.DEPTH_LIMIT, "D2015": Rule.SIZE_LIMIT}


class EvaluationFault(Exception):
    """An evaluation that failed, by its rule: never the engine's message, which quotes values."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


class Engine(Protocol):
    """What an adapter module offers."""

    NAME: str

    @staticmethod
    def version() -> str:
        """The version of the engine's package."""

    @staticmethod
    def compile(source: str, functions: Mapping[str, HostFunction]) -> Evaluate:
        """Compile a transform. Raises SyntaxFault. The result belongs to the process and thread that compiled it."""


class SyntaxFault(Exception):
    """A source that is no JSONata expression."""


def canonizer_version() -> str:
    """What `can --version` prints: everything that decides what a transform makes of a record, apart from its files."""
    engines = []
    for package in _MODULES.values():
        try:
            engines.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            continue
    return f"can {__version__} ({', '.join(engines)})"


def load(name: str) -> Engine:
    """The adapter of an engine. Raises Failure(USAGE) for a name that is unknown or not installed."""
    missing = name not in _MODULES
    if not missing:
        try:
            return import_module(f"{__name__}.{_MODULES[name]}")  # type: ignore[return-value]
        except ModuleNotFoundError:
            missing = True
    raise Failure(
        Code.USAGE,
        "this engine is not installed" if name in _MODULES else "unknown engine",
        advice=f"Install the extra: pip install 'lorchestra[{name}]'" if name in _MODULES else "jsonatapy or jlens",
    )


def rule_of(message: str) -> str:
    """The rule in an engine's message: one of ours, or JSONata's own code."""
    match = _CODE.match(message)
    return "evaluation" if match is None else _RULES.get(match[1], match[1])
