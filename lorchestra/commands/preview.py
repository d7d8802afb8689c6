"""`lorchestra run --dry-run` and `lorchestra explain`: what a run would do, and why. They change nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lorchestra import phi
from lorchestra.base.commandline import closest
from lorchestra.base.errors import Code, Failure
from lorchestra.base.wording import counted
from lorchestra.planning import preflight
from lorchestra.planning.snapshot import ALWAYS_EXTRACTED, Snapshot

_EXTRACTED_FIRST = "its sources are extracted first"


class Step(NamedTuple):
    """What would happen to a task: RUN, MAYBE (if an earlier task decides), FAIL or skip, and why."""

    task: str
    verb: str
    reasons: tuple[str, ...]

    @property
    def is_done(self) -> bool:
        """Whether nothing would happen."""
        return self.verb == "skip"

    @property
    def text(self) -> str:
        """One line for people."""
        return f"{self.verb:<5} {self.task:<46} {'; '.join(self.reasons)}"


class Explanation(NamedTuple):
    """Why a task would run or not, and the tasks before and after it that are concerned."""

    step: Step
    before: tuple[Step, ...]
    after: tuple[Step, ...]


def preview(path: Path, stages: Sequence[str]) -> list[Step]:
    """What a run of these stages would do. Changes nothing. Raises Failure if the run could not start."""
    snapshot = preflight.snapshot(path)
    phi.refuse(preflight.examine(snapshot))
    return list(_steps(snapshot, stages))


def _steps(snapshot: Snapshot, stages: Sequence[str]) -> Iterator[Step]:
    found = [*_extract(snapshot)] if "extract" in stages else []
    extracting = bool(found)
    if "canonize" in stages or "index" in stages:
        found += _canonize(snapshot, extracting)
    if "index" in stages:
        moving = {step.task.partition(":")[2].rpartition("-")[0] for step in found if step.verb in ("RUN", "MAYBE")}
        types = {target.type for target in snapshot.plan.targets} | {rule.type for rule in snapshot.rules}
        found += _index(snapshot, moving & types, extracting)
    for step in found:
        ignored = snapshot.store.ignored(step.task)
        yield step._replace(verb="skip", reasons=("ignored (doit ignore)",)) if ignored else step


def _extract(snapshot: Snapshot) -> Iterator[Step]:
    from lorchestra.stages.extract import extraction  # not needed by a no-op run

    for source in extraction.every(snapshot.config.extract.sources):
        failure = extraction.fault(source)
        verb, reason = ("FAIL", failure.message) if failure else ("RUN", ALWAYS_EXTRACTED)
        yield Step(f"extract:{source.name}", verb, (reason,))


def _canonize(snapshot: Snapshot, extracting: bool) -> Iterator[Step]:
    for target in snapshot.plan.targets:
        reasons = snapshot.verdict(target).reasons
        yield _step(f"canonize:{target.name}", reasons, extracting, _EXTRACTED_FIRST)
    if extracting:
        for type_ in sorted({rule.type for rule in snapshot.rules} - {target.type for target in snapshot.plan.targets}):
            yield Step(f"canonize:{type_}-*", "MAYBE", ("no raw file yet", _EXTRACTED_FIRST))


def _index(snapshot: Snapshot, moving: set[str], extracting: bool) -> Iterator[Step]:
    types = snapshot.index_reasons()
    for type_ in sorted({*types, *moving}):
        maybe = _EXTRACTED_FIRST if extracting else "canonical files will be rebuilt"
        reason = types.get(type_)
        yield _step(f"index:{type_}", (reason,) if reason else (), type_ in moving or extracting, maybe)


def _step(task: str, reasons: tuple[str, ...], uncertain: bool, maybe: str) -> Step:
    if reasons:
        return Step(task, "RUN", reasons)
    return Step(task, "MAYBE", (maybe,)) if uncertain else Step(task, "skip", ("up to date",))


def totals(steps: Sequence[Step]) -> str:
    """`3 tasks run, 2 may run, 120 are up to date.`"""
    count = Counter(step.verb for step in steps)
    parts = [f"{counted(count['RUN'], 'task')} to run"]
    parts += [f"{count[verb]:,} {text}" for verb, text in _OTHERS.items() if count[verb]]
    return ", ".join(parts)


_OTHERS = {"MAYBE": "that may run", "FAIL": "that cannot run", "skip": "to skip"}


def explain(path: Path, target: str) -> Explanation:
    """Explain a task, a canonical file, or its path. Raises Failure(USAGE) if there is no such task."""
    steps = {step.task: step for step in preview(path, ["canonize", "index"])}
    steps = {step.task: step for step in preview(path, ["extract"])} | steps
    name = target if target in steps else f"canonize:{Path(target).name.removesuffix('.jsonl')}"
    if name not in steps:
        message = f"there is no task {target}{closest(target, steps)}"
        raise Failure(Code.USAGE, message, advice="`lorchestra run --dry-run` lists the tasks.")
    stage, _, rest = name.partition(":")
    type_ = rest.rpartition("-")[0] if stage == "canonize" else rest
    before = [step for step in steps.values() if stage == "index" and step.task.startswith(f"canonize:{type_}-")]
    after = [steps[f"index:{type_}"]] if stage == "canonize" and f"index:{type_}" in steps else []
    return Explanation(steps[name], tuple(step for step in before if not step.is_done), tuple(after))


def as_json(steps: Sequence[Step]) -> list[dict[str, Any]]:
    """The steps as data."""
    return [{"task": step.task, "action": step.verb.lower(), "reasons": list(step.reasons)} for step in steps]
