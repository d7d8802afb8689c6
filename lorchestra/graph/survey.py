"""What there is to do, and why: one judgement, shared by doit's tasks, `status`, `run --dry-run` and the no-op check."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from lorchestra import __version__, plan
from lorchestra.base import listing, names
from lorchestra.base.listing import Listing, identity
from lorchestra.config import Config
from lorchestra.graph.store import FILE, TaskStore
from lorchestra.ledger import receipts
from lorchestra.ledger.receipts import Shelf, Verdict, Want
from lorchestra.plan import Plan, Rule, Target
from lorchestra.process import programs
from lorchestra.stages import index, transforms
from lorchestra.stages.transforms import Transform

SIGNATURE = "signature"
FORGOTTEN = "forgotten, or failed last time"


class Stale(NamedTuple):
    """A canonical file that no raw file accounts for any more."""

    name: str
    type: str


class Survey:
    """The files as they lie there when they are first looked at, and what follows from them."""

    def __init__(self, config: Config, store: TaskStore) -> None:
        self.config = config
        self.store = store

    @cached_property
    def shelf(self) -> Shelf:
        """The raw, canonical, rejects and lineage files."""
        canonical = self.config.canonize.output_dir
        return Shelf(
            listing.read(self.config.extract.output_dir),
            listing.read(canonical),
            listing.read(canonical / "rejects"),
            listing.read(canonical / "lineage"),
        )

    @cached_property
    def transforms(self) -> dict[str, Transform]:
        """The transforms that the mappings name, by id. Raises Failure where one is not in the registry."""
        canonize = self.config.canonize
        wanted = dict.fromkeys(mapping.transform for mapping in canonize.mappings)
        return {id_: transforms.resolve(canonize.registry, canonize.schemas, id_) for id_ in wanted}

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """The mappings with their types."""
        return tuple(
            Rule(
                mapping.source_pattern,
                mapping.transform,
                mapping.output_name or self.transforms[mapping.transform].type,
            )
            for mapping in self.config.canonize.mappings
        )

    @cached_property
    def plan(self) -> Plan:
        """Which canonical files there should be. Raises Failure where two mappings contradict each other."""
        return plan.make(self.shelf.raw.files, self.rules)

    @cached_property
    def stale(self) -> tuple[Stale, ...]:
        """Canonical files that lie there and should not."""
        planned = {target.file for target in self.plan.targets}
        found = (names.parse_canonical(name) for name in self.shelf.canonical.files if name not in planned)
        return tuple(sorted(Stale(f"{name.stem}-{name.date}", name.stem) for name in found if name))

    def want(self, target: Target) -> Want:
        """How a target is to be made now."""
        used = {name: self.transforms[name].fingerprint for name in dict.fromkeys(i.transform for i in target.inputs)}
        return Want(target.name, target.inputs, used | self._recipe)

    def verdict(self, target: Target) -> Verdict:
        """Whether a target must be made again, and why."""
        task = f"canonize:{target.name}"
        judged = receipts.judge(self.want(target), self.shelf, self.store.get(task, SIGNATURE))
        if self.store.forgotten(task):
            return Verdict((*judged.reasons, FORGOTTEN), judged.signature)
        return judged

    def job(self, target: Target) -> dict[str, Any]:
        """The canonizer's job for a target (docs/contracts.md)."""
        canonize = self.config.canonize
        return {
            "op": "canonize",
            "id": target.name,
            "inputs": [
                {"path": str(self.config.extract.output_dir / name), "meta": str(self.transforms[transform].meta)}
                for name, transform in target.inputs
            ],
            "schemas": str(canonize.schemas),
            "output": str(canonize.output_dir / target.file),
            "rejects": str(canonize.output_dir / "rejects" / target.file),
            "lineage": str(canonize.output_dir / "lineage" / target.lineage),
            "skip_invalid": canonize.skip_invalid,
            "require_checksums": canonize.require_checksums,
            "max_rejects": canonize.max_rejects,
            "recipe": self.want(target).recipe,
        }

    def index_reasons(self) -> dict[str, str | None]:
        """By canonical type: why the store must be brought up to date, None where it need not.

        It looks anew each time that it is asked: canonical files may have been made since.
        """
        store = self.config.index.output_dir
        reasons: dict[str, str | None] = {}
        for type_, digest in index.wanted(listing.read(self.config.canonize.output_dir)).items():
            held = index.held(store, type_)
            new = "the store does not hold this type yet" if held is None else "canonical files changed"
            reasons[type_] = None if held == digest else new
        return reasons

    @cached_property
    def _recipe(self) -> dict[str, str]:
        canonize = self.config.canonize
        settings = json.dumps([canonize.skip_invalid, canonize.require_checksums, canonize.max_rejects])
        return {"settings": settings, "canonizer": self._canonizer_version()}

    def _canonizer_version(self) -> str:
        """Asked of the program once, then remembered until it or its environment changes."""
        executable = programs.find(self.config.canonize.command[0])
        known = self.store.note("canonizer")
        moved = programs.identity(executable)
        if not isinstance(known, list) or known[0] != moved:
            known = [moved, programs.version(executable)]
            self.store.write_note("canonizer", known)
        return str(known[1])


def open_store(config: Config) -> TaskStore:
    """The task store of a pipeline."""
    return TaskStore(str(config.log_directory / FILE))


def settings_identity(config: Config) -> str:
    """A digest that moves when anything but the data may have changed: configuration, registry, programs."""
    roots = dict.fromkeys((config.canonize.registry, config.canonize.schemas))
    files = sorted(_identities(roots))
    executables = [programs.identity(programs.find(stage.command[0])) for stage in (config.canonize, config.index)]
    return _digest([config.sha256, __version__, *executables, *files])


def data_identity(shelf: Shelf, store: Path) -> tuple[str, str]:
    """Digests of what goes into the data stages (raw files) and of what comes out of them."""
    registries = listing.read(store / "registry")
    made = (*_lines(shelf.canonical), *_lines(shelf.rejects), *_lines(shelf.lineage), *_lines(registries))
    return _digest(_lines(shelf.raw)), _digest(made)


def _lines(listed: Listing) -> Iterator[str]:
    yield str(listed.path)
    for name in sorted(listed.files):
        yield f"{name} {identity(listed.files[name])}"


def _identities(roots: Iterable[Path]) -> Iterator[str]:
    for root in roots:
        for directory, _, files in os.walk(root):
            for name in files:
                path = os.path.join(directory, name)
                yield f"{path} {identity(os.lstat(path))}"


def _digest(lines: Iterable[str]) -> str:
    return hashlib.blake2b("\n".join(lines).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
