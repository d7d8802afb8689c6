"""`vector-projector pull` compared with the minimum that the disk allows and with a naive loop.

`python -m benchmarks.projector [--records N] [--rounds N] [--objects N]` prints a section of Markdown.

Every timed run starts on a file system of its own, made for it: creating files after a large delete can be ten times
slower than on a fresh one. With rights to mount that is a new ext4 in a file, else a new directory.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks import lookups
from benchmarks.cost import Cost, measure, median
from benchmarks.tables import ratio, seconds, table

PROGRAM = Path(sys.executable).with_name("vector-projector")
URI = "iglu:org.example/email/jsonschema/1-0-0"
SCHEMA = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "required": ["message_id", "subject", "date", "schema"],
    "properties": {
        "message_id": {"type": "string", "minLength": 1},
        "thread_id": {"type": "string"},
        "from": {"type": "string"},
        "to": {"type": "array", "items": {"type": "string"}},
        "subject": {"type": "string"},
        "body": {"type": "string"},
        "date": {"type": "string"},
        "labels": {"type": "array", "items": {"type": "string"}},
        "schema": {"type": "string"},
    },
    "x-key": ["message_id"],
    "x-volatile": ["labels"],
    "x-text": ["subject", "body"],
    "x-time": "date",
    "x-title": "subject",
}
_NAIVE_SHARE = 10  # the naive loop gets a tenth of the records: its time is a sum over records


class Work(NamedTuple):
    """What is pulled: two directories with the same records under different names, and the floor's plan."""

    root: Path
    records: int

    @property
    def first(self) -> Path:
        return self.root / "first"

    @property
    def again(self) -> Path:
        return self.root / "again"

    @property
    def schemas(self) -> Path:
        return self.root / "schemas"

    @property
    def source(self) -> Path:
        return self.first / "email-20251101.jsonl"


def main(argv: Sequence[str] = ()) -> int:
    """Measure, and print the section."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.projector", description=__doc__)
    parser.add_argument("--records", type=int, default=100_000, help="of 0.5 to 4 KB (default: 100000)")
    parser.add_argument("--rounds", type=int, default=3, help="each program takes its turn so often (default: 3)")
    parser.add_argument("--objects", type=int, default=1_000_000, help="to look things up in (default: 1000000)")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="projector-") as directory:
        work = make_work(Path(directory), options.records)
        print(section(work, options.rounds), flush=True)
    with tempfile.TemporaryDirectory(prefix="projector-") as directory:
        print(reading(Path(directory), options.objects), end="")
    return 0


def reading(root: Path, objects: int) -> str:
    """Build a store of so many short mails, and look things up in it."""
    schema, source = root / "schemas" / URI.removeprefix("iglu:"), root / "canonical" / "email-20251101.jsonl"
    for path in (schema, source):
        path.parent.mkdir(parents=True, mode=0o700)
    schema.write_text(json.dumps(SCHEMA))
    with source.open("w") as file:
        file.writelines(json.dumps(record) + "\n" for record in mail(objects, longest=90))
    with fresh(root, objects * 6_000 + 1024**3) as place:
        where: list[str | Path] = ["--store", place / "store", "--input", source.parent, "--schemas", root / "schemas"]
        cost = measure([PROGRAM, "pull", *where], root)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        rows = lookups.measure(place / "store")
    return (
        f"In a store of {objects:,} objects (pulled from one file in {seconds(cost.wall)}, at most {peak:.0f} MB of "
        f"memory):\n\n{table(('', 'matches', 'median', 'slowest of 30'), rows)}"
    )


def make_work(root: Path, records: int) -> Work:
    """Write the synthetic mail and its schema, compile the floor."""
    work = Work(root, records)
    for directory in (work.first, work.again):
        directory.mkdir(mode=0o700)
    path = work.schemas / URI.removeprefix("iglu:")
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(SCHEMA))
    with work.source.open("w") as file:
        file.writelines(json.dumps(record) + "\n" for record in mail(records))
    os.link(work.source, work.again / "email-20251102.jsonl")
    with (root / "tenth.jsonl").open("w") as file:
        file.writelines(itertools.islice(work.source.open(), records // _NAIVE_SHARE))
    subprocess.run(["cc", "-O2", "-o", root / "floor", Path(__file__).with_name("floor.c")], check=True)
    return work


def mail(records: int, longest: int = 550) -> Iterator[dict[str, object]]:
    """Synthetic mail: a vocabulary of 40,000 words, as frequent as words are (Zipf); `longest` text, in words."""
    rnd = random.Random(4)
    words = sorted({"".join(rnd.choices("etaoinshrdlcumwfgypb", k=rnd.randint(2, 11))) for _ in range(40_000)})
    rnd.shuffle(words)
    weights = list(itertools.accumulate(1 / (rank + 3) for rank in range(len(words))))
    for number in range(records):
        yield {
            "message_id": f"<{rnd.getrandbits(64):016x}@mail.example.org>",
            "thread_id": f"{rnd.getrandbits(64):016x}",
            "from": f"person{rnd.randrange(2000)}@example.org",
            "to": [f"person{rnd.randrange(2000)}@example.org"],
            "subject": " ".join(rnd.choices(words, cum_weights=weights, k=6)),
            "body": " ".join(rnd.choices(words, cum_weights=weights, k=rnd.randint(longest // 11, longest))),
            "date": f"2025-11-{number * 28 // records + 1:02d}T{rnd.randrange(24):02d}:{rnd.randrange(60):02d}:00Z",
            "labels": ["INBOX"],
            "schema": URI,
        }


@contextlib.contextmanager
def fresh(root: Path, size: int) -> Iterator[Path]:
    """An empty directory on a file system of its own, gone afterwards."""
    image, point = root / "image", root / "mounted"
    point.mkdir()
    with image.open("wb") as file:
        file.truncate(size)
    made = subprocess.run(["mkfs.ext4", "-q", "-i", "4096", image], check=False, capture_output=True).returncode == 0
    mounted = made and subprocess.run(["mount", "-o", "loop", image, point], check=False).returncode == 0
    try:
        yield point
    finally:
        if mounted:
            subprocess.run(["umount", point], check=True)
        image.unlink()
        shutil.rmtree(point)


def pull(work: Work, place: Path, *arguments: str | Path) -> Cost:
    """Pull into a store."""
    command: list[str | Path] = [
        PROGRAM,
        "pull",
        "--store",
        place / "store",
        "--input",
        work.first,
        "--schemas",
        work.schemas,
    ]
    return measure([*command, *arguments], work.root)


def section(work: Work, rounds: int) -> str:
    """Run everything in turns; the section."""
    plain = work.root / "plain.yaml"
    plain.write_text("full_text: false\n")
    size = work.records * 16_000 + 1024**3
    costs: dict[str, list[Cost]] = {}

    def note(name: str, cost: Cost) -> None:
        costs.setdefault(name, []).append(cost)
        sys.stderr.write(f"  {name}: cpu {cost.cpu:.2f} wall {cost.wall:.2f}\n")

    for turn in range(rounds):
        with fresh(work.root, size) as place:
            note("pull", pull(work, place))
            if turn == 0:
                _plan(work, place / "store")
            note("again", pull(work, place, "--input", work.again))
            note("unchanged", pull(work, place, "--input", work.again))
        with fresh(work.root, size) as place:
            note("floor", measure([work.root / "floor", place, work.root / "plan"], work.root))
        with fresh(work.root, size) as place:
            note("plain", pull(work, place, "--config", plain))
        with fresh(work.root, size) as place:
            naive: list[str | Path] = [
                sys.executable,
                "-m",
                "benchmarks.naive_store",
                place / "store",
                work.root / "tenth.jsonl",
            ]
            cost = measure([*naive, work.schemas / URI.removeprefix("iglu:")], Path(__file__).parent.parent)
            note("naive", Cost(cost.cpu * _NAIVE_SHARE, cost.wall * _NAIVE_SHARE))
    return _render(work, {name: median(found) for name, found in costs.items()}, rounds)


def _plan(work: Work, store: Path) -> None:
    """The objects of a store, in the order in which `pull` writes them: by id, in chunks."""
    found = sorted((store / "objects").rglob("*.json"))
    random.Random(1).shuffle(found)
    with (work.root / "plan").open("w") as file:
        for chunk in range(0, len(found), 20_000):
            for path in sorted(found[chunk : chunk + 20_000]):
                file.write(f"{path.relative_to(store)} {path.stat().st_size}\n")


_NAMES = {
    "floor": "durable floor: C, create, write, close, one `syncfs`",
    "plain": "`pull`, no full text",
    "pull": "`pull`",
    "naive": "naive loop: pathlib, jsonschema, sqlite3, a commit a record",
    "again": "`pull` of the same records in another file",
    "unchanged": "`pull` of unchanged input",
}


def _render(work: Work, costs: dict[str, Cost], rounds: int) -> str:
    floor, first = costs["floor"], costs["pull"]
    rows = [
        (
            label,
            seconds(costs[name].wall),
            seconds(costs[name].cpu),
            f"{costs[name].wall / work.records * 1e6:,.0f}",
            ratio(costs[name].wall / floor.wall),
            ratio(costs[name].wall / first.wall),
        )
        for name, label in _NAMES.items()
    ]
    head = ("", "wall", "CPU", "µs a record", "of the floor", "of `pull`")
    size = work.source.stat().st_size / work.records / 1000
    return (
        f"## The store\n\n{work.records:,} synthetic mails of {size:.1f} KB on average, {rounds} rounds in turn, "
        "medians, each on a fresh file system. The naive loop got a tenth of them; its time is scaled.\n\n"
        f"{table(head, rows)}\n"
        f"Of the CPU time of `pull`, {1 - costs['plain'].cpu / first.cpu:.0%} is the full text and "
        f"{floor.cpu / first.cpu:.0%} is the cost of the floor.\n"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
