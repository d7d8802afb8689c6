"""`python -m checks.rules`: rules that keep records out of messages and files private, checked in the syntax tree.

    exception-text      the text of a caught exception is not used: it can contain parts of a record (Failure is ours)
    exception-context   `__context__`, `__cause__` and tracebacks are not read: they lead to the original exception
    open-for-writing    files are written by lorchestra.storage only, which sets the mode when it creates them
    event-name          the name of a log event is a constant

`# rule: NAME - reason` in the same line or the one above exempts a line.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
_EXEMPT = re.compile(r"# rule: ([a-z-]+) - \S")
_OURS = frozenset({"Failure", "ConfigFailure"})
_TEXTS = frozenset({"str", "repr", "format", "ascii"})
_HIDDEN = frozenset({"__context__", "__cause__", "print_exc", "format_exc", "print_exception", "format_exception"})
_WRITERS = frozenset({"write_text", "write_bytes"})


class Violation(NamedTuple):
    """A place that breaks a rule."""

    path: Path
    line: int
    rule: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}: {self.rule}"


def check(path: Path) -> Iterator[Violation]:
    """The violations in one module."""
    source = path.read_text()
    lines = source.splitlines()
    in_storage = "storage" in path.parts
    for node in ast.walk(ast.parse(source)):
        for rule, line in _broken(node, in_storage):
            exempt = {match.group(1) for match in map(_EXEMPT.search, lines[max(0, line - 2) : line]) if match}
            if rule not in exempt:
                yield Violation(path, line, rule)


def _broken(node: ast.AST, in_storage: bool) -> Iterator[tuple[str, int]]:
    if isinstance(node, ast.ExceptHandler) and node.name and not _is_ours(node.type):
        yield from (("exception-text", line) for line in _uses_of_text(node))
    elif isinstance(node, ast.Attribute) and node.attr in _HIDDEN:
        yield "exception-context", node.lineno
    elif isinstance(node, ast.Call):
        if not in_storage and _writes(node):
            yield "open-for-writing", node.lineno
        if _name(node.func) == "event" and node.args and not isinstance(node.args[0], ast.Constant):
            yield "event-name", node.lineno


def _is_ours(kind: ast.expr | None) -> bool:
    names = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return all(_name(name) in _OURS for name in names)


def _uses_of_text(handler: ast.ExceptHandler) -> Iterator[int]:
    for node in (inner for statement in handler.body for inner in ast.walk(statement)):
        used: list[ast.expr] = []
        if isinstance(node, ast.FormattedValue):
            used = [node.value]
        elif isinstance(node, ast.Call) and _name(node.func) in _TEXTS:
            used = node.args
        elif isinstance(node, ast.Attribute) and node.attr in ("args", "message"):
            used = [node.value]
        if any(_is(expression, handler.name) for expression in used):
            yield node.lineno if isinstance(node, ast.expr) else handler.lineno


def _is(node: ast.expr, name: str | None) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _writes(call: ast.Call) -> bool:
    name = _name(call.func)
    if name != "open":
        return name in _WRITERS
    method = isinstance(call.func, ast.Attribute)
    if isinstance(call.func, ast.Attribute) and _name(call.func.value) == "os":
        return any("O_CREAT" in ast.dump(argument) for argument in call.args)
    modes = [*call.args[0 if method else 1 :], *(keyword.value for keyword in call.keywords if keyword.arg == "mode")]
    return any(isinstance(mode, ast.Constant) and set("wax+") & set(str(mode.value)) for mode in modes[:1])


def _name(node: ast.expr | None) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def main() -> int:
    """Check the whole package; print each violation."""
    modules = sorted((ROOT / "lorchestra").rglob("*.py"))
    violations = [violation for module in modules for violation in check(module)]
    for violation in violations:
        print(violation)
    print(f"{len(modules)} modules checked, {len(violations)} violations of our own rules")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
