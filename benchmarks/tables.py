"""Markdown tables."""

from __future__ import annotations

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; the first column is text, the others are numbers."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (head, rule, *rows))


def seconds(value: float) -> str:
    """Three significant digits, in the unit that reads best: `41.2 ms`, `3.05 s`, `1,040 s`."""
    if value < 0.9995:
        return f"{_three(value * 1000)} ms"
    return f"{_three(value)} s"


def ratio(value: float) -> str:
    """A ratio: `3.4`, `57`."""
    return f"{value:.1f}" if value < 9.95 else f"{value:,.0f}"


def _three(value: float) -> str:
    return f"{value:.2f}" if value < 9.995 else f"{value:.1f}" if value < 99.95 else f"{value:,.0f}"
