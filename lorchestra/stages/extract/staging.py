"""From what an attempt left behind to raw files: complete, private, each record once.

    {work}/staging/{source}/{attempt}/   what an attempt writes; it stays until its records are published
    {work}/refused/{source}/{attempt}/   what could not be published; it stays until the user decides about it

A failed or killed attempt may have moved the source's bookmark, so that nobody will send its records again: nothing
that an attempt wrote is thrown away. An attempt whose run was killed is found and published by the next run.
"""

from __future__ import annotations

import contextlib
import filecmp
import shutil
import time
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lorchestra.base.errors import Code, Failure, Outcome
from lorchestra.base.wording import counted, listed
from lorchestra.records import jsonl
from lorchestra.stages.extract import loader_report
from lorchestra.stages.extract.merge import Merge
from lorchestra.stages.extract.streams import Streams
from lorchestra.storage import private


@dataclass
class Published:
    """What was published.

    `problems` are the failures, one for each file or stream; everything else was published. `whole`:
    nothing is left in staging. `refused`: the files that could not be published in this run.
    """

    files: list[str] = field(default_factory=list)
    merged: list[str] = field(default_factory=list)
    """The staged files whose records are in a raw file now, by their staged names."""
    records: int = 0
    new_records: int = 0
    replaced: int = 0
    discarded: int = 0
    torn: int = 0
    refused: list[str] = field(default_factory=list)
    whole: bool = False
    problems: list[Outcome] = field(default_factory=list)

    @property
    def safe(self) -> bool:
        """Whether every record of the attempts is in a raw file, so that the source's bookmark may advance."""
        return self.whole and not self.refused

    def confirm(self, target: Path) -> None:
        """Count a raw file that already holds what the source delivered."""
        self.files.append(target.name)
        self.records += jsonl.count(str(target))


@dataclass(frozen=True)
class Rules:
    """How a source's files are judged.

    `streams` gives each file its raw file. `key` names the fields that identify a record; None leaves that to the
    loader's report. `originals_stay`: the original of a refused file is still where it came from, so the staged copy
    is removed.
    """

    streams: Streams
    key: Sequence[str] | None = None
    originals_stay: bool = False

    def key_of(self, parts: Sequence[Path]) -> Sequence[str]:
        """The key of the records of one raw file: what is declared, otherwise what the newest report says."""
        if self.key is not None:
            return self.key
        reported = (loader_report.keys(part.parent).get(part.name) for part in reversed(parts))
        return next(filter(None, reported), ())


class Staging:
    """The staging area of one source. Use it only while holding the source's lock."""

    def __init__(self, work_dir: Path, source: str) -> None:
        # No source can have this name, so its lock is never a source's own.
        self._lock = work_dir / "locks" / ".publish.lock"
        self._attempts = work_dir / "staging" / source
        self._refused = work_dir / "refused" / source
        for directory in (self._lock.parent, self._attempts):
            private.make_directory(directory)

    def fresh(self) -> Path:
        """A new private, empty directory for an attempt. Its name sorts after those of all earlier ones."""
        path = self._attempts / f"{time.time_ns():020d}"
        private.make_directory(path)
        return path

    def attempts(self) -> list[Path]:
        """Every attempt that is not published yet, oldest first."""
        return sorted(path for path in self._attempts.iterdir() if path.is_dir())

    @property
    def has_report(self) -> bool:
        """Whether a loader reported the streams of an attempt that is not published yet."""
        return any(loader_report.read(attempt) for attempt in self.attempts())

    def refused(self) -> list[Path]:
        """Every refused file of this and earlier runs that the user has not decided about."""
        return refused_files(self._refused)

    def refuse(self, attempt: Path) -> None:
        """Keep all files of an attempt out of the raw files until the user decides about them."""
        for path in _entries(attempt):
            self._keep(path)

    def has_space(self) -> bool:
        """Whether the disk has room for another megabyte. Many programs do not report a full disk as such."""
        try:
            private.write(self._attempts / ".probe", bytes(1024 * 1024))
        except Failure as failure:
            return failure.code is not Code.NO_SPACE
        finally:
            (self._attempts / ".probe").unlink(missing_ok=True)
        return True

    def publish(self, raw_dir: Path, rules: Rules, *, finished: Collection[Path]) -> Published:
        """Merge what the attempts hold into the raw files, then remove the attempts.

        `finished` are the attempts that ended well: only in the others may a last line be torn. If a raw file cannot
        be written, everything stays for the next run; publishing a part of it twice changes nothing.
        """
        published = Published()
        with _held(self._lock):
            private.sweep(raw_dir)
            parts = self._collect(rules, published)
            if parts is None:
                return published
            done = [self._publish(raw_dir / name, parts[name], rules, finished, published) for name in sorted(parts)]
            published.whole = all(done)
            for attempt in self.attempts() if published.whole else ():
                shutil.rmtree(attempt)
        return published

    def _collect(self, rules: Rules, published: Published) -> dict[str, list[Path]] | None:
        """The attempts' files by raw file; None if the streams are not declared and nothing may be published.

        A file that belongs to no raw file is refused. Discarded streams are counted and removed.
        """
        staged = [path for attempt in self.attempts() for path in _entries(attempt)]
        plain = {path.name for path in staged if path.is_file() and not path.is_symlink()}
        try:
            destinations = rules.streams.destinations(sorted(plain))
        except Failure as failure:
            published.problems.append(Outcome.of(failure))
            return None
        parts: defaultdict[str, list[Path]] = defaultdict(list)
        misnamed: list[str] = []
        for path in staged:
            destination = destinations.get(path.name) if path.name in plain else None
            if destination is None:
                misnamed.append(path.name)
                self._refuse(path, rules, published)
            elif destination.raw is None:
                self._discard(path, rules, published)
            else:
                parts[destination.raw].append(path)
        if misnamed:  # names can hold PHI: the terminal shows them, the log gets a code and a count
            verb = "is" if len(misnamed) == 1 else "are"
            files = (
                f"{counted(len(misnamed), 'file')} {verb} neither named {{source}}-{{date}}.jsonl nor a declared stream"
            )
            message = f"{files}: {listed(misnamed)}"
            published.problems.append(Outcome(Code.CONFIG, message, _DECIDE))
        return parts

    def _discard(self, path: Path, rules: Rules, published: Published) -> None:
        try:
            published.discarded += jsonl.count(str(path))
            path.unlink()
        except Failure as failure:  # it is compressed and damaged
            published.problems.append(Outcome.of(failure))
            self._refuse(path, rules, published)

    def _publish(
        self, target: Path, parts: list[Path], rules: Rules, finished: Collection[Path], published: Published
    ) -> bool:
        """Bring one raw file up to date; False if its parts must stay for another try."""
        if len(parts) == 1 and target.is_file() and filecmp.cmp(parts[0], target, shallow=False):
            published.confirm(target)
            published.merged.append(parts[0].name)
            return True
        current = target
        try:
            with Merge(rules.key_of(parts)) as merge:
                if target.exists():
                    merge.add(target)
                    merge.mark_baseline()
                for current in parts:
                    merge.add(current, finished=current.parent in finished)
                current = target
                _write(merge, target, published)
            published.merged += [part.name for part in parts]
            return True
        except Failure as failure:
            published.problems.append(Outcome.of(failure))
        except OSError as error:
            published.problems.append(Outcome.of(OSError(error.errno, error.strerror, target.name)))
            current = target
        if current == target:
            return False
        self._refuse(current, rules, published)
        others = [part for part in parts if part != current]
        return not others or self._publish(target, others, rules, finished, published)

    def _refuse(self, path: Path, rules: Rules, published: Published) -> None:
        """Keep a file that cannot be published until the user decides, unless its original or an equal one is kept."""
        published.refused.append(path.name)
        plain = path.is_file() and not path.is_symlink()
        kept = (other for other in self.refused() if other.name == path.name and plain)
        if rules.originals_stay or any(filecmp.cmp(path, other, shallow=False) for other in kept):
            path.unlink()
            return
        self._keep(path)

    def _keep(self, path: Path) -> None:
        directory = self._refused / path.parent.name
        private.make_directory(directory)
        path.rename(directory / path.name)


_DECIDE = "List them with `lorchestra refused`, then re-submit or discard them."


def refused_files(directory: Path) -> list[Path]:
    """The refused files of a source, `{work}/refused/{source}`, oldest first."""
    attempts = sorted(directory.iterdir()) if directory.is_dir() else []
    return [path for attempt in attempts for path in _entries(attempt)]


def _entries(attempt: Path) -> list[Path]:
    private.sweep(attempt)
    return sorted(path for path in attempt.iterdir() if path.name != loader_report.REPORT)


def _write(merge: Merge, target: Path, published: Published) -> None:
    """A target that would not change is left alone, down to its inode: nothing downstream has to look at it again."""
    new = merge.new
    if new:
        with private.replacing(target) as out:
            merge.write(out)
    published.torn += merge.torn
    if merge.offered:
        published.files.append(target.name)
        published.records += len(merge)
        published.new_records += new
        published.replaced += merge.replaced if new else 0  # otherwise nothing was written


@contextlib.contextmanager
def _held(path: Path) -> Iterator[None]:
    lock = private.lock(path, wait=True)
    try:
        yield
    finally:
        private.unlock(lock)
