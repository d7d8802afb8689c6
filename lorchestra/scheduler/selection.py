"""The tasks that a command line names.

doit accepts any `canonize:NAME` for a stage whose tasks it creates later, and then runs nothing.
"""

from __future__ import annotations

import difflib
import fnmatch
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from doit import get_initial_workdir
from doit.exceptions import InvalidCommand

from lorchestra.history.stages import STAGES
from lorchestra.planning.snapshot import Snapshot
from lorchestra.records import names, targets


def resolve(snapshot: Snapshot, sources: Sequence[str], words: Iterable[str]) -> list[str]:
    """Tasks for the words of a command line: tasks, patterns, and paths of canonical files.

    With extraction selected, canonical files that do not exist yet are accepted; `check_targets` decides later. Raises
    InvalidCommand for a word that names nothing, with the closest task.
    """
    words = list(words)
    extracting = bool(of_stage("extract", words))
    known = _known(snapshot, sources, extracting)
    resolved = [task for word in words for task in _resolve(snapshot, word, known, extracting)]
    return list(dict.fromkeys(resolved))


def check_targets(selected: Iterable[str], planned: Iterable[str]) -> None:
    """Raise InvalidCommand if a selected canonical file is not part of the plan. Both are names of tasks."""
    known = {*STAGES, *planned}
    for task in selected:
        if task.startswith("canonize:") and "*" not in task and task not in known:
            raise InvalidCommand(_message(task, known))


def of_stage(stage: str, words: Iterable[str]) -> list[str]:
    """The words of a selection that mean a stage or tasks of it."""
    return [word for word in words if word.partition(":")[0] == stage or ("*" in word and fnmatch.fnmatch(stage, word))]


def sources_of(words: Iterable[str], sources: Iterable[str]) -> set[str]:
    """The sources that a selection extracts."""
    patterns = list(words)
    return {
        source
        for source in sources
        if "extract" in patterns or any(fnmatch.fnmatchcase(f"extract:{source}", pattern) for pattern in patterns)
    }


def _known(snapshot: Snapshot, sources: Sequence[str], extracting: bool) -> set[str]:
    types = set(snapshot.index_reasons()) | {target.type for target in snapshot.plan.targets}
    if extracting:
        types |= {rule.type for rule in snapshot.rules}
    return {
        "phi",
        *STAGES,
        *(f"extract:{name}" for name in sources),
        *(f"canonize:{target.name}" for target in snapshot.plan.targets),
        *(f"index:{type_}" for type_ in types),
    }


def _resolve(snapshot: Snapshot, word: str, known: set[str], extracting: bool) -> list[str]:
    if word in known:
        return [word]
    if "*" in word:
        return _expand(word, known, extracting)
    if extracting and word.startswith("canonize:") and names.parse_canonical(targets.output_name(word[9:])):
        return [word]
    for directory in dict.fromkeys((get_initial_workdir() or ".", ".")):
        task = _task_of_file(snapshot, os.path.normpath(Path.cwd() / directory / word))
        if task in known:
            return [task]
    raise InvalidCommand(_message(word, known))


def _expand(pattern: str, known: set[str], extracting: bool) -> list[str]:
    found = sorted(task for task in known if fnmatch.fnmatchcase(task, pattern))
    if not found:
        raise InvalidCommand(f"{pattern} matches no task.\n  `doit list --all` shows the tasks.")
    if groups := [task for task in found if task in STAGES]:
        return groups
    if extracting and any(not task.startswith(("extract:", "phi")) for task in found):
        raise InvalidCommand(
            f"{pattern}: which files there are is known only after extraction.\n  Name the stage, or run extract first."
        )
    return found


def _task_of_file(snapshot: Snapshot, path: str) -> str:
    directory, name = os.path.split(path)
    in_canonical = directory == str(snapshot.config.canonize.output_dir)
    return f"canonize:{name.removesuffix('.jsonl')}" if in_canonical else ""


def _message(word: str, known: Iterable[str]) -> str:
    known = sorted(known)
    of_its_stage = [task for task in known if ":" in task and task.partition(":")[0] == word.partition(":")[0]]
    if closest := difflib.get_close_matches(word, of_its_stage or known, 1):
        hint = f"Did you mean {closest[0]}?"
    elif of_its_stage:
        hint = f"For example, {of_its_stage[0]} is one. `doit list --all` shows all tasks."
    else:
        hint = "`doit list --all` shows the tasks."
    return f"{word} is not a task.\n  {hint}"
