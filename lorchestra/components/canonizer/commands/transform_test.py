"""Run the golden tests of a registry and show where results differ, path by path.

can transform test                                      every transform below ./transforms
can transform test email/gmail_to_canonical_v1          one of them
can transform test --engine all                         under each engine, and where these differ from each other

Test documents are synthetic: their values are shown. It exits with 4 where a test fails.
"""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from lorchestra.base.errors import Code, Exit, Failure, visible
from lorchestra.components.canonizer.authoring import goldens
from lorchestra.components.canonizer.authoring.checks import attempt
from lorchestra.components.canonizer.commands.arguments import add_registry, add_schemas
from lorchestra.components.canonizer.record import engines
from lorchestra.components.canonizer.registry import transforms
from lorchestra.components.canonizer.workers.pool import Pool
from lorchestra.records.registry import locate


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "ids", nargs="*", metavar="ID", help="a transform's name (default: all transforms of the registry)"
    )
    add_registry(parser)
    add_schemas(parser)
    parser.add_argument(
        "--engine",
        metavar="NAME",
        help="jlens, jsonatapy, one of another package, or all (default: as the metadata says)",
    )


def run(args: argparse.Namespace) -> int:
    """Run the tests and print the results."""
    metas = selected(args.registry, args.ids)
    chosen = tuple(engines.installed()) if args.engine == "all" else (args.engine,)
    for engine in filter(None, chosen):
        engines.load(engine)
    failed = tests = 0
    for meta in metas:
        name = transforms.name_of(args.registry, meta)
        verdicts, failure = attempt(_verdicts, meta, [args.schemas] if args.schemas else [], chosen)
        if verdicts is None:
            why = failure.message.replace("\n", "; ") if failure else ""
            print(f"{name}: cannot run: {visible(why)}")
            failed += 1
            continue
        tests += len(verdicts)
        failed += sum(bool(verdict.faults) for verdict in verdicts)
        _print(name, verdicts)
    print(f"transforms: {len(metas)}, golden tests: {tests}, failed: {failed}")
    return Exit.REGISTRY if failed else Exit.OK


def selected(registry: Path, ids: list[str]) -> list[Path]:
    """The metadata files of the transforms named, or of all. Raises Failure(TRANSFORM_MISSING) where there is none."""
    metas = [locate(registry, name) for name in ids] or transforms.every(registry)
    if not metas:
        raise Failure(Code.TRANSFORM_MISSING, f"{registry}: no transforms")
    return metas


class Verdict(NamedTuple):
    """The result of one case; `faults` is empty if it passed."""

    case: str
    faults: list[str]


def _verdicts(meta: Path, schemas: list[Path], chosen: tuple[str | None, ...]) -> list[Verdict]:
    cases = goldens.of(meta)
    faults: list[dict[str, list[str]]] = [{} for _ in cases]  # not by name: two directories may have cases of one name
    for engine in chosen:
        with closing(Pool()) as pool:
            identity = goldens.prepare(pool, meta, schemas, engine)
            for case, by_engine in zip(cases, faults, strict=True):
                by_engine[identity["engine"]] = goldens.check(pool, case)
    return [Verdict(case.name, _compared(by_engine)) for case, by_engine in zip(cases, faults, strict=True)]


def _compared(by_engine: dict[str, list[str]]) -> list[str]:
    first, *others = by_engine.values()
    if all(other == first for other in others):
        return first
    lines = [f"{engine}: {fault}" for engine, faults in by_engine.items() for fault in faults or ["passes"]]
    return ["the engines give different results", *lines]


def _print(name: str, verdicts: list[Verdict]) -> None:
    passed = sum(not verdict.faults for verdict in verdicts)
    print(f"{name}: {passed} of {len(verdicts)}" if verdicts else f"{name}: no golden tests")
    for verdict in verdicts:
        for fault in verdict.faults:
            print(f"  {verdict.case}: {fault}")
