"""GNU make, ninja and Snakemake, given the same work: `can` once for each canonical file.

make and ninja get every rule written out, which is the fastest that they can be given; they would not notice a raw file
of a new name. Snakemake gets the one rule with wildcards that its users write.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.cost import Broken, Cost, measure
from benchmarks.workload import BIN, CORES, META, TRANSFORMS, Workload

CACHE = Path(__file__).resolve().parent.parent / ".cache"
SNAKEMAKE = "snakemake==9.27.1"
_CAN = f"can transform run --meta {META} --schemas {TRANSFORMS / 'schemas'}"
_REGISTRY = (
    META,
    META.with_name("gmail_to_canonical_v1.jsonata"),
    TRANSFORMS / "schemas/com.google/gmail_message/jsonschema/1-0-0.json",
    TRANSFORMS / "schemas/org.canonical/email/jsonschema/1-0-0.json",
)
_REPLAY = """\
#!/bin/sh
# Stands in for `can` while a tree is filled: reads its input and prints what lorchestra made of the same.
cat > /dev/null
target=$(readlink /proc/$$/fd/1)
target=${{target##*/}}
exec cat "{made}/${{target%.tmp}}"
"""


class Peer(NamedTuple):
    """A program beside ours. `rules` writes its rules for a workload into a directory.

    `accept` makes it take what lies there for its own work; a program without it has to run its rules for that.
    """

    name: str
    argv: tuple[str, ...]
    version: str
    rules: Callable[[Workload, Path], None]
    accept: tuple[str, ...] = ()


class Tree:
    """A directory in which a peer does the work."""

    def __init__(self, peer: Peer, work: Workload, directory: Path) -> None:
        """Make the directory, with the peer's rules and nothing built."""
        self.peer, self.work, self.directory = peer, work, directory
        (directory / "canonical").mkdir(parents=True)
        peer.rules(work, directory)

    def run(self) -> Cost:
        """Bring the tree up to date."""
        return self._run(self.peer.argv, BIN)

    def fill(self) -> None:
        """Build the tree with what lorchestra made taking the place of `can`'s work."""
        if self.peer.accept:
            shutil.copytree(self.work.canonical, self.directory / "canonical", dirs_exist_ok=True)
            self._run((*self.peer.argv, *self.peer.accept), BIN)
            return
        replay = self.directory / "replay"
        replay.mkdir()
        (replay / "can").write_text(_REPLAY.format(made=self.work.canonical))
        (replay / "can").chmod(0o755)
        self._run(self.peer.argv, replay)

    def _run(self, argv: Sequence[str], first_on_path: Path) -> Cost:
        return measure(argv, self.directory, {"PATH": f"{first_on_path}:{os.environ['PATH']}"})

    def compare(self, days: Iterable[str]) -> None:
        """Raise Broken unless the peer's canonical files of these days are lorchestra's, to the byte."""
        for day in days:
            name = f"email-{day}.jsonl"
            if (self.work.canonical / name).read_bytes() != (self.directory / "canonical" / name).read_bytes():
                raise Broken(f"{self.peer.name} made another {name} than lorchestra: nothing can be compared")


def present(*, install: bool) -> tuple[list[Peer], list[str]]:
    """The peers that are on this machine, and a sentence for each that is not.

    Snakemake is installed into a virtual environment of its own under .cache/, once, if `install`.
    """
    touch = ("--touch", "--forceall", "--cores", "1000")
    peers = (
        ("GNU make", shutil.which("make"), ("-rRs", f"-j{CORES}"), _makefile, ()),
        ("ninja", shutil.which("ninja"), ("--quiet", f"-j{CORES}"), _ninja_file, ()),
        ("Snakemake", _snakemake(install), ("--quiet", "all", "--cores", str(CORES)), _snakefile, touch),
    )
    found = [
        Peer(name, (program, *options), _version(program), rules, accept)
        for name, program, options, rules, accept in peers
        if program
    ]
    return found, [f"{name} was not found on this machine." for name, program, *_ in peers if not program]


def _snakemake(install: bool) -> str | None:
    program = CACHE / "snakemake/bin/snakemake"
    if install and not program.exists():
        CACHE.mkdir(exist_ok=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", CACHE / "snakemake"], check=False)
        pip = [str(CACHE / "snakemake/bin/python"), "-m", "pip", "-qq", "--disable-pip-version-check", "install"]
        subprocess.run([*pip, SNAKEMAKE], check=False, stdout=sys.stderr)
    return str(program) if program.exists() else None


def _version(program: str) -> str:
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    return answer.splitlines()[0].removeprefix("GNU Make ")


def _makefile(work: Workload, directory: Path) -> None:
    rules = [f"all: {' '.join(f'canonical/email-{day}.jsonl' for day in work.dates)}"]
    for day in work.dates:
        raw = " ".join(map(str, work.inputs(day)))
        rules.append(f"canonical/email-{day}.jsonl: {raw} $(registry)\n\tcat {raw} | {_CAN} > $@.tmp && mv $@.tmp $@")
    _write(directory / "Makefile", f"registry := {' '.join(map(str, _REGISTRY))}", *rules)


def _ninja_file(work: Workload, directory: Path) -> None:
    rule = f"rule canonize\n  command = cat $in | {_CAN} > $out.tmp && mv $out.tmp $out"
    registry = " ".join(map(str, _REGISTRY))
    builds = [
        f"build canonical/email-{day}.jsonl: canonize {' '.join(map(str, work.inputs(day)))} | {registry}"
        for day in work.dates
    ]
    _write(directory / "build.ninja", rule, *builds)


def _snakefile(work: Workload, directory: Path) -> None:
    _write(
        directory / "Snakefile",
        f'RAW = "{work.raw}"',
        'ACCOUNTS, DATES = map(sorted, map(set, glob_wildcards(RAW + "/{account}-{date,[0-9]+}.jsonl")))',
        'rule all:\n    input: expand("canonical/email-{date}.jsonl", date=DATES)',
        "rule canonize:",
        '    input: raw=expand(RAW + "/{account}-{{date}}.jsonl", account=ACCOUNTS),',
        f"           registry={[str(path) for path in _REGISTRY]}",
        '    output: "canonical/email-{date}.jsonl"',
        f'    shell: "cat {{input.raw}} | {_CAN} > {{output}}.tmp && mv {{output}}.tmp {{output}}"',
    )


def _write(path: Path, *lines: str) -> None:
    path.write_text("\n".join(lines) + "\n")
