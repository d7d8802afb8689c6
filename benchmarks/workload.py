"""The work that all programs are given: raw extracts of a few accounts, one canonical file a day."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from benchmarks.cost import Cost, measure

BIN = Path(sys.executable).parent
TRANSFORMS = Path(__file__).resolve().parent.parent / "transforms"
META = TRANSFORMS / "email/gmail_to_canonical_v1.meta.yaml"
ACCOUNTS = 4
CORES = len(os.sched_getaffinity(0))
_FIRST_DAY = date(2019, 1, 1)
_PIPELINE = """\
pipeline: {name: benchmark}
stages:
  extract:
    output_dir: phi-data/raw
    sources: {gmail-messages-acct1: {type: files, inbox: inbox}}
  canonize:
    output_dir: phi-data/canonical
    registry: REGISTRY
    mappings: [{source_pattern: "gmail-*.jsonl", transform: email/gmail_to_canonical_v1}]
  index: {output_dir: phi-data/vector-store}
"""


@dataclass(frozen=True)
class Workload:
    """Raw files below `root`, and lorchestra's own pipeline for them. `records` are those of one raw file."""

    root: Path
    days: int
    records: int

    @property
    def raw(self) -> Path:
        """Where the raw files lie."""
        return self.root / "phi-data/raw"

    @property
    def canonical(self) -> Path:
        """Where lorchestra puts the canonical files."""
        return self.root / "phi-data/canonical"

    @property
    def raw_files(self) -> int:
        """How many raw files there are."""
        return ACCOUNTS * self.days

    @property
    def dates(self) -> Iterator[str]:
        """The days, as `20190101`."""
        return (f"{_FIRST_DAY + timedelta(day):%Y%m%d}" for day in range(self.days))

    def inputs(self, day: str) -> list[Path]:
        """The raw files of a day, in the order of their names."""
        return [self.raw / f"{_source(account)}-{day}.jsonl" for account in range(1, ACCOUNTS + 1)]

    def make(self) -> None:
        """Write the raw files and pipeline.yaml."""
        self.raw.mkdir(mode=0o700, parents=True)
        self.raw.parent.chmod(0o700)
        with ThreadPoolExecutor(CORES) as pool:
            list(pool.map(self._sample, range(1, ACCOUNTS + 1)))
        (self.root / "pipeline.yaml").write_text(_PIPELINE.replace("REGISTRY", str(TRANSFORMS)))

    def append(self, day: str, line: bytes) -> None:
        """Add a record to one raw file of a day."""
        with self.inputs(day)[0].open("ab") as file:
            file.write(line)

    def run(self) -> Cost:
        """`lorchestra run --stage canonize`."""
        return measure([BIN / "lorchestra", "run", "--stage", "canonize"], self.root)

    def _sample(self, account: int) -> None:
        sample(self.raw, _source(account), self.days, self.records, seed=account)


def sample(directory: Path, source: str, days: int, records: int, seed: int) -> None:
    """Write synthetic Gmail messages, one file a day."""
    numbers = {"--start": f"{_FIRST_DAY:%Y%m%d}", "--days": days, "--records": records, "--seed": seed}
    options = [str(word) for option in numbers.items() for word in option]
    argv = [str(BIN / "lorchestra-sample"), "gmail-messages", "--name", source, "--output", str(directory), *options]
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)


def _source(account: int) -> str:
    return f"gmail-messages-acct{account}"
