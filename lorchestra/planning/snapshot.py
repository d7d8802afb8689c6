"""What has to be done and why: one answer for doit's tasks, `status`, `run --dry-run` and the no-op check."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from lorchestra import __version__
from lorchestra.history.runs import Losses
from lorchestra.planning import plan, store_contents, verdict
from lorchestra.planning.config import Config
from lorchestra.planning.plan import Plan, Rule, Target
from lorchestra.planning.task_store import TaskStore
from lorchestra.planning.verdict import CanonicalFiles, Recipe, Verdict
from lorchestra.process import programs
from lorchestra.records import lineage, names, targets
from lorchestra.storage import listing
from lorchestra.storage.listing import Listing, identity

if TYPE_CHECKING:
    from lorchestra.planning.transforms import Transform

VALUES = "_values_:"  # where doit keeps what an action returned
SIGNATURE = "signature"
ALWAYS_EXTRACTED = "sources are always extracted"


class Stale(NamedTuple):
    """A canonical file, as `email-20251112`, whose raw files no longer exist."""

    name: str
    type: str


class Snapshot:
    """The files as they are when they are first listed, and what follows from them."""

    def __init__(self, config: Config, store: TaskStore, raw: Listing | None = None) -> None:
        """`raw` is an earlier listing of the raw files to work from."""
        self.config = config
        self.store = store
        self._raw = raw
        self._verdicts: dict[str, Verdict] = {}

    @cached_property
    def canonical_files(self) -> CanonicalFiles:
        """The raw, canonical, rejects and lineage files."""
        return CanonicalFiles(
            self._raw or listing.read(self.config.extract.output_dir),
            *map(listing.read, targets.directories(self.config.canonize.output_dir)),
        )

    def forget_files(self) -> None:
        """List the files again when they are needed next."""
        self.__dict__.pop("canonical_files", None)
        self._verdicts.clear()

    @cached_property
    def transforms(self) -> dict[str, Transform]:
        """The transforms that the mappings name, by id. Raises Failure if one is not in the registry."""
        from lorchestra.planning import transforms  # imports orjson; a no-op run needs neither

        canonize = self.config.canonize
        used = dict.fromkeys(route.transform for route in canonize.mappings)
        return {id_: transforms.resolve(canonize.registry, canonize.schemas, id_) for id_ in used}

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
        """Which canonical files there should be. Raises Failure if two mappings contradict each other."""
        return plan.make(self.canonical_files.raw.files, self.rules)

    @cached_property
    def stale(self) -> tuple[Stale, ...]:
        """Canonical files that exist and should not."""
        planned = {target.file for target in self.plan.targets}
        found = (names.parse_canonical(name) for name in self.canonical_files.canonical.files if name not in planned)
        return tuple(sorted(Stale(f"{name.stem}-{name.date}", name.stem) for name in found if name))

    def recipe(self, target: Target) -> Recipe:
        """How a target would be built now."""
        used = {name: self.transforms[name].fingerprint for name in dict.fromkeys(i.transform for i in target.inputs)}
        described = {name: {**self.transforms[name].digests, "version": self.transforms[name].version} for name in used}
        return Recipe(target.name, target.inputs, used | self._recipe, described)

    def verdict(self, target: Target) -> Verdict:
        """Whether a target must be built, and why; judged once."""
        if target.name not in self._verdicts:
            self._verdicts[target.name] = self._judge(target)
        return self._verdicts[target.name]

    def _judge(self, target: Target) -> Verdict:
        task = f"canonize:{target.name}"
        values = self.store.get(task, VALUES) or {}
        judged = verdict.judge(self.recipe(target), self.canonical_files, values.get(SIGNATURE))
        if removed := self.store.removed(task):
            return Verdict((*judged.reasons, removed), judged.signature)
        if not judged.reasons:
            self.store.set(task, VALUES, values | {SIGNATURE: judged.signature})
        return judged

    def signed(self, target: Target) -> dict[str, str]:
        """What to remember for a target that was just built: its inputs as they were before, its files as they are now.

        So data that was added to an input meanwhile changes the signature of the next run.
        """
        made = self.canonical_files._replace(
            canonical=listing.read_some(self.canonical_files.canonical.path, [target.file]),
            rejects=listing.read_some(self.canonical_files.rejects.path, [target.file]),
            lineage=listing.read_some(self.canonical_files.lineage.path, [targets.lineage_name(target.name)]),
        )
        return {SIGNATURE: verdict.signature(self.recipe(target), made)}

    def job(self, target: Target) -> dict[str, Any]:
        """The canonizer's job for a target (docs/contracts.md)."""
        canonize = self.config.canonize
        raw = str(self.config.extract.output_dir)  # Path is slow for thousands of files
        return {
            "op": "canonize",
            "id": target.name,
            "inputs": [
                {
                    "path": os.path.join(raw, name),
                    "meta": str(self.transforms[transform].meta),
                    "transform": transform,
                }
                for name, transform in target.inputs
            ],
            "schemas": str(canonize.schemas),
            **targets.files(canonize.output_dir, target.name)._asdict(),
            "skip_invalid": canonize.skip_invalid,
            "require_checksums": canonize.require_checksums,
            "max_rejects": canonize.max_rejects,
            "recipe": self.recipe(target).recipe,
            "require": self._requirements(target),
        }

    def _requirements(self, target: Target) -> dict[str, Any]:
        """What a worker must be and read, so that the recipe is true: programs can be replaced during a run."""
        used = [self.transforms[transform] for transform in dict.fromkeys(t for _, t in target.inputs)]
        version = self._recipe["canonizer"]
        return {
            **({"canonizer": version} if version else {}),
            "transforms": {str(transform.meta): dict(transform.digests) for transform in used},
        }

    def index_reasons(self) -> dict[str, str | None]:
        """By canonical type: why the store must be brought up to date; None if it holds exactly the canonical files.

        The files are listed at each call, because canonical files may have been built since.
        """
        store = self.config.index.output_dir
        reasons: dict[str, str | None] = {}
        wanted = store_contents.wanted(listing.read(self.config.canonize.output_dir), self.store.note("outputs") or {})
        self.store.write_note("outputs", wanted.known)
        lost = self.config.index.sink == "store" and not store_contents.has_database(store)
        for type_, digest in wanted.digests.items():
            held = None if lost else store_contents.held(store, type_)
            if held == digest:
                reasons[type_] = self.store.removed(f"index:{type_}")
            else:
                reasons[type_] = "the store does not hold this type yet" if held is None else "canonical files changed"
        return reasons

    def losses(self) -> list[Losses]:
        """The canonical files that lost records when they were built."""
        found = (Losses.of(target.name, self.counts(target.name)) for target in self.plan.targets)
        return [lost for lost in found if lost.rejected or lost.dropped]

    def counts(self, target: str) -> dict[str, Any]:
        """The counts of a canonical file when it was built; empty if it has no lineage."""
        values: dict[str, Any] = self.store.get(f"canonize:{target}", VALUES) or {}
        if "records_in" in values:
            return values
        document = lineage.read(self.canonical_files.lineage.path / targets.lineage_name(target)) or {}
        inputs = document.get("inputs", [])
        return {name: sum(entry.get(name, 0) for entry in inputs) for name in lineage.COUNTS} if inputs else {}

    @cached_property
    def inputs_digest(self) -> str:
        """A digest of everything that the data stages work from: raw files, configuration, registry, programs."""
        config = self.config
        executables = [programs.identity(stage.command) for stage in (config.canonize, config.index)]
        roots = dict.fromkeys((config.canonize.registry, config.canonize.schemas))
        return _digest(
            [config.sha256, __version__, *executables, *sorted(_identities(roots)), *_lines(self.canonical_files.raw)]
        )

    def outputs_digest(self, stage: str) -> str:
        """A digest of what a data stage has built: canonical files and lineage; for index, the store's registry too."""
        lines = [
            *_lines(self.canonical_files.canonical),
            *_lines(self.canonical_files.rejects),
            *_lines(self.canonical_files.lineage),
        ]
        if stage == "index":
            lines += _lines(listing.read(self.config.index.output_dir / "registry"))
            lines.append(f"database {store_contents.has_database(self.config.index.output_dir)}")
        return _digest(lines)

    @cached_property
    def _recipe(self) -> dict[str, str]:
        canonize = self.config.canonize
        settings = json.dumps([canonize.skip_invalid, canonize.require_checksums, canonize.max_rejects])
        version, fingerprint = self._canonizer()
        command = {"canonizer command": fingerprint} if fingerprint else {}
        return {"settings": settings, "canonizer": version, **command}

    def _canonizer(self) -> tuple[str, str]:
        """Version and fingerprint of the canonizer; both are cached until the program or its environment changes."""
        command = self.config.canonize.command
        cached = self.store.note("canonizer")
        identity = programs.identity(command)
        if not isinstance(cached, list) or len(cached) != 3 or cached[0] != identity:
            cached = [identity, programs.version(command), programs.fingerprint(command)]
            if cached[1]:  # a program that did not answer is asked again
                self.store.write_note("canonizer", cached)
        return str(cached[1]), str(cached[2])


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
