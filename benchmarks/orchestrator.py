"""`lorchestra run --stage canonize` compared with make, ninja and Snakemake that run `can` for each canonical file."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks import peers
from benchmarks.cost import Broken, Cost, adopt_orphans, measure, median
from benchmarks.peers import Peer, Tree
from benchmarks.tables import Goal, ratio, reached, seconds, table
from benchmarks.workload import ACCOUNTS, BIN, CORES, META, Workload, sample

OURS = "lorchestra"
MAKE = "GNU make"
SNAKEMAKE = "Snakemake"
VERSION = "lorchestra --version"
PYTHON = "python -c pass"
CAN = "can transform run < /dev/null"
LOOK = "python: one stat a file"
RECORDS = "can transform run, the records in one file"

_LOOK = "import os, sys; [entry.stat() for path in sys.argv[1:] for entry in os.scandir(os.open(path, 0))]"
_DOIT = "doit is imported and walks through every task."

Costs = dict[str, list[Cost]]
Medians = Mapping[str, Cost]


class Size(NamedTuple):
    """How much is measured: everybody builds `part` days from nothing, lorchestra builds `days`; then rounds."""

    days: int
    records: int
    part: int
    builds: int
    rounds: int
    slow_rounds: int
    starts: int


FULL = Size(days=2500, records=30, part=100, builds=4, rounds=15, slow_rounds=5, starts=51)
QUICK = Size(days=10, records=3, part=2, builds=2, rounds=2, slow_rounds=1, starts=3)


class Measured(NamedTuple):
    """Medians by program; `whole` is lorchestra's first build of all days, `least` what nothing can do without."""

    noop: Medians
    changed: Medians
    part: Medians
    whole: Cost
    least: Medians


def main() -> None:
    """Measure and print the section."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.orchestrator", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="little work, for a look; install nothing")
    quick = parser.parse_args().quick
    size = QUICK if quick else FULL
    adopt_orphans()
    found, missing = peers.present(install=not quick)
    broken = ""
    with tempfile.TemporaryDirectory(prefix="lorchestra-benchmark-") as root:
        try:
            measured = _measured(size, found, Path(root))
        except Broken as failure:
            broken = str(failure)
    if broken:
        sys.exit(broken)
    print("\n".join(_section(size, found, missing, measured)))


def _measured(size: Size, found: Sequence[Peer], root: Path) -> Measured:
    starts = _starts(size.starts)
    part: Costs = {}
    small = Workload(root / "part", size.part, size.records)
    _first_builds(small, found, range(size.builds // 2), part)
    work = Workload(root / "whole", size.days, size.records)
    _say(f"writing {work.raw_files} raw files")
    work.make()
    _say("lorchestra's first build")
    whole = work.run()
    # The others' first builds before it and after it: a machine's speed drifts.
    _first_builds(small, found, range(size.builds // 2, size.builds), part)
    trees = _trees(found, work, root)
    for tree in trees:
        _say(f"filling the tree of {tree.peer.name}")
        tree.fill()
    changed, noop = _rounds(work, trees, size, _new_records(root / "new", size.rounds))
    look: list[str | Path] = [sys.executable, "-c", _LOOK, work.raw, work.canonical, work.canonical / "lineage"]
    least = starts | {LOOK: [measure(look, root) for _ in range(size.rounds)]}
    return Measured(_medians(noop), _medians(changed), _medians(part), whole, _medians(least))


def _starts(rounds: int) -> Costs:
    _say("start-up")
    programs: dict[str, list[str | Path]] = {
        VERSION: [BIN / "lorchestra", "--version"],
        PYTHON: [sys.executable, "-c", "pass"],
        CAN: [BIN / "can", "transform", "run", "--meta", META],
    }
    costs: Costs = {name: [] for name in programs}
    for _ in range(rounds):
        for name, argv in programs.items():
            costs[name].append(measure(argv, Path.cwd()))
    return costs


def _first_builds(work: Workload, found: Sequence[Peer], rounds: range, costs: Costs) -> None:
    for number in rounds:
        _say(f"first builds, round {number + 1}")
        fresh = Workload(work.root / str(number), work.days, work.records)
        fresh.make()
        costs.setdefault(OURS, []).append(fresh.run())
        costs.setdefault(RECORDS, []).append(_records_alone(fresh))
        for tree in _trees(found, fresh, fresh.root):
            costs.setdefault(tree.peer.name, []).append(tree.run())
            tree.compare(fresh.dates)


def _records_alone(work: Workload) -> Cost:
    together = work.root / "together.jsonl"
    together.write_bytes(b"".join(file.read_bytes() for file in work.raw.iterdir()))
    files: list[str | Path] = ["--meta", META, "--input", together, "--output", work.root / "records.jsonl"]
    return measure([BIN / "can", "transform", "run", *files], work.root)


def _rounds(work: Workload, trees: Sequence[Tree], size: Size, lines: Sequence[bytes]) -> tuple[Costs, Costs]:
    """In each round one raw file grows by a record, everybody follows in turn, then everybody has nothing to do."""
    changed: Costs = {}
    noop: Costs = {}
    for number, (day, line) in enumerate(zip(work.dates, lines, strict=False)):
        _say(f"one raw file changed, then nothing changed: round {number + 1} of {size.rounds}")
        work.append(day, line)
        running = [tree for tree in trees if tree.peer.name != SNAKEMAKE or number < size.slow_rounds]
        for costs in (changed, noop):
            costs.setdefault(OURS, []).append(work.run())
            for tree in running:
                costs.setdefault(tree.peer.name, []).append(tree.run())
        for tree in running:
            tree.compare([day])
    return changed, noop


def _trees(found: Sequence[Peer], work: Workload, root: Path) -> list[Tree]:
    return [Tree(peer, work, root / peer.name.replace(" ", "-")) for peer in found]


def _new_records(directory: Path, count: int) -> list[bytes]:
    sample(directory, "gmail-messages-new", days=1, records=count, seed=99)
    return next(directory.iterdir()).read_bytes().splitlines(keepends=True)


def _medians(costs: Costs) -> dict[str, Cost]:
    return {name: median(found) for name, found in costs.items()}


def _say(what: str) -> None:
    sys.stderr.write(f"   {what}\n")


def _section(size: Size, found: Sequence[Peer], missing: Sequence[str], measured: Measured) -> Iterator[str]:
    work = Workload(Path(), size.days, size.records)
    names = [OURS, *(peer.name for peer in found)]
    versions = ", ".join(f"{peer.name} {peer.version}" for peer in found)
    yield f"## The orchestrator\n\n`python -m benchmarks.orchestrator{' --quick' if size is QUICK else ''}`\n"
    yield (
        f"{work.raw_files:,} raw files of {size.records} records into {size.days:,} canonical ones on {CORES} cores: "
        f"`lorchestra run --stage canonize` compared with {versions or 'nothing else'}. The others run "
        "`cat RAW... | can transform run --meta META > OUT.tmp && mv OUT.tmp OUT` for each canonical file. They run "
        "in turn on the same raw files, and their results are compared byte for byte. CPU is user and system time of "
        f"the whole process tree. Medians of {size.rounds} rounds ({SNAKEMAKE}: {size.slow_rounds}).\n"
    )
    yield from (f"{sentence}\n" for sentence in missing)
    yield table(["", *names], list(_rows(size, names, measured)))
    yield (
        f"lorchestra built all {size.days:,} canonical files once; the others built only {size.part} "
        f"(rounds: {size.builds}), and their line for {size.days:,} is that figure times {size.days / size.part:.4g}. "
        "For the lines above it, their trees contained the files that lorchestra had built. make and ninja get a "
        "rule for each file, their fastest form, in which they do not notice new raw files. "
        "lorchestra and Snakemake look for new files.\n"
    )
    yield table(["", "CPU", "wall"], [[f"`{name}`", *map(seconds, cost)] for name, cost in measured.least.items()])
    yield from reached(list(_goals(size, measured)))


def _rows(size: Size, names: Sequence[str], measured: Measured) -> Iterator[list[str]]:
    scale = size.days / size.part
    scaled = {name: Cost(cost.cpu * scale, cost.wall * scale) for name, cost in measured.part.items()}
    lines: tuple[tuple[str, Medians, str], ...] = (
        ("nothing changed", measured.noop, ""),
        ("one raw file changed", measured.changed, ""),
        (f"first build of {size.part}", measured.part, ""),
        (f"first build of {size.days:,}", scaled | {OURS: measured.whole}, "≈ "),
    )
    for what, costs, about in lines:
        for at, unit in enumerate(Cost._fields):
            cells = [f"{about if name != OURS else ''}{seconds(costs[name][at])}" for name in names]
            yield [f"{what}, {'CPU' if unit == 'cpu' else unit}", *cells]


def _goals(size: Size, measured: Measured) -> Iterator[Goal]:
    noop, changed, part, whole, least = measured
    looks = (
        f"A Python program that only calls stat once for each of the {(ACCOUNTS + 2) * size.days:,} raw files, "
        f"canonical files and lineage files takes {seconds(least[LOOK].cpu)} of CPU. lorchestra's "
        f"{seconds(noop[OURS].cpu)} are that, its imports, and the comparison of digests."
    )
    if MAKE in noop:
        found = noop[OURS].cpu / noop[MAKE].cpu
        yield Goal("nothing changed: at most 4 times make's CPU", f"{ratio(found)} times", found <= 4, looks)
        more = changed[OURS].cpu - changed[MAKE].cpu
        yield Goal("one raw file changed: at most make's CPU and 0.6 s", f"{more:+.2f} s", more <= 0.6, _DOIT)
        scale = size.days / size.part
        once = Cost(part[MAKE].cpu * scale, part[MAKE].wall * scale)
        records = max(part[RECORDS].cpu - least[CAN].cpu, 0.001) * scale
        yield _faster(
            "first build: 5 times faster than make",
            5,
            once,
            whole,
            f"Of make's {seconds(once.cpu)} of CPU, {seconds(records)} are the records themselves: without "
            f"any other cost, the ratio would be {ratio(once.cpu / records)}. lorchestra takes {seconds(whole.cpu)}; "
            "the rest is lineage files, fsync and the tasks.",
        )
    if SNAKEMAKE in noop:
        yield _faster("nothing changed: 50 times faster than Snakemake", 50, noop[SNAKEMAKE], noop[OURS], looks)
    found = least[VERSION].cpu / least[PYTHON].cpu
    yield Goal(f"`{VERSION}`: under 3 times the CPU of `{PYTHON}`", f"{ratio(found)} times", found < 3, "Its imports.")


def _faster(text: str, goal: float, theirs: Cost, ours: Cost, held_back_by: str) -> Goal:
    found = theirs.wall / ours.wall
    return Goal(text, f"{ratio(found)} times (CPU {ratio(theirs.cpu / ours.cpu)})", found >= goal, held_back_by)


if __name__ == "__main__":
    main()
