"""Markdown tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple


class Goal(NamedTuple):
    """A goal, the measured value, whether the goal is reached, and if not, the reason."""

    text: str
    measured: str
    reached: bool
    held_back_by: str


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; the first column is text, the others are numbers."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (head, rule, *rows))


def reached(goals: Sequence[Goal]) -> Iterator[str]:
    """The goals as a table, then a sentence for each that was missed."""
    yield table(["goal", "measured", "reached"], [[g.text, g.measured, "yes" if g.reached else "no"] for g in goals])
    yield from (f"Missed: {goal.text}. {goal.held_back_by}\n" for goal in goals if not goal.reached)


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
