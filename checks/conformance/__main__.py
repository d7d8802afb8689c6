"""`make conformance`: compare engines and validator with the references; print the tables of docs/conformance.md."""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from checks.conformance import jsonata, jsonschema
from lorchestra.components.canonizer.record import engines


def main() -> None:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suite", type=Path, metavar="DIR", help="test/test-suite of the reference implementation")
    parser.add_argument("--differences", action="store_true", help="list the expressions that differ")
    arguments = parser.parse_args()
    _jsonata(arguments.suite, arguments.differences)
    _jsonschema()


def _jsonata(suite: Path | None, listed: bool) -> None:
    groups = {"expressions": jsonata.expressions()} | ({"reference suite": list(jsonata.suite(suite))} if suite else {})
    print(f"| engine | {' | '.join(groups)} |\n|---|{'---|' * len(groups)}")
    for name in engines.installed():
        engine = engines.load(name)
        scores = [jsonata.score(engine, cases) for cases in groups.values()]
        print(f"| {name} {engine.version()} | {' | '.join(map(str, scores))} |")
        if listed:
            print("\n".join(f"    {source!r}" for score in scores for source in score.different))


def _jsonschema() -> None:
    print("\n| draft | right | wrong | refused |\n|---|---|---|---|")
    with TemporaryDirectory() as directory:
        tests = jsonschema.fetched(Path(directory))
        for draft in jsonschema.DRAFTS:
            print(f"| {draft} | {' | '.join(map(str, jsonschema.score(tests, draft)))} |")


if __name__ == "__main__":
    main()
