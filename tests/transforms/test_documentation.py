"""docs/transforms.md agrees with the registry, and its console session runs as printed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from lorchestra.components.canonizer.authoring import checks

ROOT = Path(__file__).parents[2]
REGISTRY = ROOT / "transforms"
PAGE = (ROOT / "docs" / "transforms.md").read_text("utf-8")


def table(heading: str) -> list[list[str]]:
    """The rows of the first table below a heading."""
    section = PAGE.split(f"\n{heading}\n")[1].split("\n#")[0]
    rows = re.findall(r"^\| (.*) \|$", section, re.MULTILINE)
    return [row.split(" | ") for row in rows][1:]


def words(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_the_bundled_transforms_are_those_of_the_registry() -> None:
    documented = {}
    for transform, before, after in table("## Bundled transforms"):
        documented[words(transform)[0]] = (words(before)[0], words(after)[0])
    found = {}
    for path in REGISTRY.glob("*/*.meta.yaml"):
        meta = yaml.safe_load(path.read_text("utf-8"))
        before, after = (
            meta[key].removeprefix("iglu:").split("/jsonschema")[0] for key in ("from_schema", "to_schema")
        )
        found[meta["id"]] = (before, after.removeprefix("org.canonical/"))
    assert documented == found


def test_the_canonical_types_are_those_of_the_schemas() -> None:
    rows = [row for row in table("## Canonical types") if len(row) == 6]
    paths = list(REGISTRY.glob("schemas/org.canonical/*/jsonschema/*.json"))
    assert {words(row[0])[0] for row in rows} == {path.parts[-3] for path in paths}
    for kind, key, title, time, searched, fields in rows:
        path = max((REGISTRY / "schemas" / "org.canonical" / words(kind)[0] / "jsonschema").iterdir())
        schema = json.loads(path.read_text("utf-8"))
        assert words(key) == schema["x-key"]
        assert [*words(title), *words(time)] == [schema["x-title"], schema["x-time"]]
        assert words(searched) == schema["x-text"]
        assert words(fields) == list(schema["properties"])


def test_the_rules_are_those_of_the_program() -> None:
    rows = table("## What `can registry validate` finds")
    assert {words(rule)[0]: (severity, text) for rule, severity, text in rows} == checks.RULES


def test_the_session_runs_as_it_is_printed(tmp_path: Path) -> None:
    shutil.copytree(REGISTRY, tmp_path / "transforms")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    (session,) = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    for step in session.split("$ ")[1:]:
        command, _, printed = step.partition("\n")
        done = subprocess.run(
            command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert printed in done.stdout
