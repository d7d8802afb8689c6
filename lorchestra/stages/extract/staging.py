"""From what an attempt left behind to raw files: whole, private, each record once.

    {work}/staging/{source}/{attempt}/   what an attempt writes; it stays until its records are published
    {work}/rejected/{source}/{attempt}/  what could not be published; it stays until somebody looks at it

A failed or killed attempt may have moved the source's bookmark, so that nobody will send its records again: nothing
that an attempt wrote is thrown away. An attempt whose run was killed is found and published by the next run.
"""

from __future__ import annotations

import contextlib
import filecmp
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lorchestra.base.errors import Code, Failure, from_os_error
from lorchestra.records import jsonl, names
from lorchestra.stages.extract.merge import Merge
from lorchestra.storage import private


@dataclass
class Published:
    """What a hand-over came to.

    `code` and `message` tell the first fault; the rest was published all the same. `whole`: nothing is left in staging.
    """

    files: list[str] = field(default_factory=list)
    records: int = 0
    new_records: int = 0
    superseded: int = 0
    torn: int = 0
    refused: int = 0
    whole: bool = False
    code: Code | None = None
    message: str = ""

    def fault(self, code: Code, message: str) -> None:
        """Note a fault, unless an earlier one is known."""
        if self.code is None:
            self.code, self.message = code, message

    def confirm(self, target: Path) -> None:
        """Count a raw file that holds already what the source gave."""
        self.files.append(target.name)
        self.records += jsonl.count(str(target))


@dataclass(frozen=True)
class Rules:
    """How a source's files are judged.

    `accepts` says whether a name that follows the convention is the source's. `key` names the fields that identify
    a record. `originals_stay`: what cannot be published still lies where it came from, so that the copy may go.
    """

    accepts: Callable[[names.DatedName], bool]
    key: Sequence[str] = ()
    originals_stay: bool = False


class Staging:
    """The staging area of one source. To be used under the source's lock only."""

    def __init__(self, work_dir: Path, source: str) -> None:
        self._lock = work_dir / "locks" / "publish.lock"
        self._attempts = work_dir / "staging" / source
        self._rejected = work_dir / "rejected" / source
        for directory in (self._lock.parent, self._attempts):
            private.make_directory(directory)

    def fresh(self) -> Path:
        """A new private, empty directory for an attempt. Its name sorts after those of all earlier ones."""
        path = self._attempts / f"{time.time_ns():020d}"
        private.make_directory(path)
        return path

    def attempts(self) -> list[Path]:
        """Every attempt that is not published yet, in the order in which they were made."""
        return sorted(path for path in self._attempts.iterdir() if path.is_dir())

    def has_space(self) -> bool:
        """Whether the disk takes another megabyte. Programs hide a full disk behind a status that does not tell."""
        try:
            private.write(self._attempts / ".probe", bytes(1024 * 1024))
        except Failure as failure:
            return failure.code is not Code.NO_SPACE
        finally:
            (self._attempts / ".probe").unlink(missing_ok=True)
        return True

    def publish(self, raw_dir: Path, rules: Rules, *, finished: Collection[Path]) -> Published:
        """Merge what the attempts hold into the raw files, then remove the attempts.

        `finished` are the attempts that ended well: only in the others may a last line be torn. Where a raw file
        cannot be written everything stays for the next run, to which it is all the same that a part was published.
        """
        published = Published()
        with _held(self._lock):
            private.sweep(raw_dir)
            parts = self._collect(rules, published)
            done = [self._publish(raw_dir / name, parts[name], rules, finished, published) for name in sorted(parts)]
            published.whole = all(done)
            for attempt in self.attempts() if published.whole else ():
                shutil.rmtree(attempt)
        return published

    def _collect(self, rules: Rules, published: Published) -> dict[str, list[Path]]:
        """The attempts' files by name. What has no such name is set aside, and counted: its name may be PHI."""
        parts: defaultdict[str, list[Path]] = defaultdict(list)
        for attempt in self.attempts():
            private.sweep(attempt)
            for path in sorted(attempt.iterdir()):
                name = names.parse_raw(path.name)
                if name and rules.accepts(name) and path.is_file() and not path.is_symlink():
                    parts[name.file].append(path)
                else:
                    self._set_aside(path)
                    published.refused += 1
        if published.refused:
            published.fault(
                Code.CONFIG, f"{published.refused} with a name that is not {{source}}-{{date}}.jsonl: {self._rejected}"
            )
        return parts

    def _publish(
        self, target: Path, parts: list[Path], rules: Rules, finished: Collection[Path], published: Published
    ) -> bool:
        """Bring one raw file up to date; False where its parts must stay for another try."""
        if len(parts) == 1 and target.is_file() and filecmp.cmp(parts[0], target, shallow=False):
            published.confirm(target)
            return True
        current = target
        try:
            with Merge(rules.key) as merge:
                if target.exists():
                    merge.add(target)
                    merge.settle()
                for current in parts:
                    merge.add(current, finished=current.parent in finished)
                current = target
                _write(merge, target, published)
            return True
        except Failure as failure:
            published.fault(failure.code, failure.message)
        except OSError as error:
            told = from_os_error(error, target.name)
            published.fault(told.code, told.message)
            current = target
        if current == target:
            return False
        self._discard(current, rules)
        others = [part for part in parts if part != current]
        return not others or self._publish(target, others, rules, finished, published)

    def _discard(self, path: Path, rules: Rules) -> None:
        if rules.originals_stay:
            path.unlink()
        else:
            self._set_aside(path)

    def _set_aside(self, path: Path) -> None:
        directory = self._rejected / path.parent.name
        private.make_directory(directory)
        path.rename(directory / path.name)


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
        published.superseded += merge.superseded


@contextlib.contextmanager
def _held(path: Path) -> Iterator[None]:
    lock = private.lock(path, wait=True)
    try:
        yield
    finally:
        private.unlock(lock)
