"""A second engine, installed with the extra `jsonatapy`: jsonatapy (Rust). Its regular expressions take linear time."""

from __future__ import annotations

from collections.abc import Mapping

import jsonatapy

from lorchestra.components.canonizer.record.engines import (
    DEPTH,
    LONGEST_SEQUENCE,
    Evaluate,
    EvaluationFault,
    HostFunction,
    SyntaxFault,
    code_in,
    rule_of,
)

NAME = "jsonatapy"
_BUILT_IN = ("base64decode",)


def version() -> str:
    """The version of the engine's package."""
    text: str = jsonatapy.__version__
    return text


def compile(source: str, functions: Mapping[str, HostFunction]) -> Evaluate:
    """Compile a transform; see the port."""
    try:
        expression = jsonatapy.compile(source, max_stack_depth=DEPTH, max_sequence_length=LONGEST_SEQUENCE)
    except ValueError as error:
        raise SyntaxFault(code_in(str(error))) from None  # rule: exception-text - only the code is taken
    for name, function in functions.items():
        register = expression.register_override if name in _BUILT_IN else expression.register
        register(name, function)
    run = expression.evaluate_json_or_none

    def evaluate(text: str) -> str | None:
        try:
            result: str | None = run(text)
            return result
        except ValueError as error:
            rule = rule_of(str(error))  # rule: exception-text - only compared
            raise EvaluationFault(rule) from None

    return evaluate
