"""The default engine: jlens (Rust)."""

from __future__ import annotations

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
    try:
        expression = jlens.Expression(source)
    except jlens.JlensError as error:
        raise SyntaxFault(error.code or "", error.start) from None
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
            raise _fault(error, source) from None

    return evaluate


def _fault(error: Exception, source: str) -> EvaluationFault:
    code = getattr(error, "code", None)
    # One code for two limits; only the message says which one.
    # rule: exception-text - it is only compared
    sized = code == "U1001" and "size limit" in str(error)
    # rule: exception-text - it is only compared
    rule = Rule.SIZE_LIMIT if sized else rule_of(code if isinstance(code, str) else str(error))
    return EvaluationFault(rule, _position(error, source))


def _position(error: Exception, source: str) -> int | None:
    """Where the failed function's name or operator begins. The engine gives a place after it."""
    after, token = getattr(error, "position", None), getattr(error, "token", None)
    if isinstance(after, int) and isinstance(token, str) and token in source[:after]:
        return source.rfind(token, 0, after)
    return getattr(error, "start", None)
