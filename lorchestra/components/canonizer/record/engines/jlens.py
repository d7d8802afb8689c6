"""The second engine, an extra: jlens."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

import jlens

from lorchestra.components.canonizer.record.engines import (
    DEPTH,
    LONGEST_SEQUENCE,
    Evaluate,
    EvaluationFault,
    HostFunction,
    SyntaxFault,
    rule_of,
)
from lorchestra.components.canonizer.record.rules import Rule

NAME = "jlens"
_LONGEST_STRING = 256 * 1024 * 1024


def version() -> str:
    """The version of the engine's package."""
    text: str = jlens.__version__
    return text


def compile(source: str, functions: Mapping[str, HostFunction]) -> Evaluate:
    """Compile a transform; see the port."""
    expression = None
    with contextlib.suppress(jlens.JlensError):
        expression = jlens.Expression(source)
    if expression is None:
        raise SyntaxFault
    for name, function in functions.items():
        expression.register_function(name, function)
    run = expression.evaluate_json

    def evaluate(text: str) -> str | None:
        try:
            result: str | None = run(
                text, max_depth=DEPTH, max_array_length=LONGEST_SEQUENCE, max_string_length=_LONGEST_STRING
            )
            return result
        except (jlens.JlensError, ValueError, TypeError) as error:
            code = getattr(error, "code", None)
            # One code for two bounds of its own; which one is said in words alone.
            # rule: exception-text - it is only compared
            sized = code == "U1001" and "size limit" in str(error)
            # rule: exception-text - it is only compared
            rule = Rule.SIZE_LIMIT if sized else rule_of(code if isinstance(code, str) else str(error))
        raise EvaluationFault(rule)

    return evaluate
