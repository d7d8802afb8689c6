"""Another package adds a type of source: one class in one file, found through its entry point."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from lorchestra.base.errors import Code, Failure
from lorchestra.stages.extract.sources import source_type
from tests.harness import ROOT

NAME = "diary-entries-acct1"
PROJECT = """
[build-system]
requires = ["flit_core"]
build-backend = "flit_core.buildapi"

[project]
name = "diary_source"
version = "1.0"
description = "a type of source"

[project.entry-points."lorchestra.sources"]
diary = "diary_source:Diary"
"""
MODULE = """
from lorchestra.base.errors import Code
from lorchestra.stages.extract.sources.attempt import Attempt, AttemptResult
from lorchestra.stages.extract.sources.source_type import SourceType


class Diary(SourceType):
    settings = {
        "required": ["path"],
        "properties": {"path": {"$ref": "#/$defs/path"}, "pages": {"type": "integer", "minimum": 1}},
    }

    def attempt(self, task: Attempt) -> AttemptResult:
        with open(task.settings["path"], encoding="utf-8") as diary:
            lines = diary.readlines()[: task.settings.get("pages")]
        (task.output / f"{task.source.name}-{task.date}.jsonl").write_text("".join(lines))
        return AttemptResult()
"""
PIPELINE = """
pipeline: {{name: diary}}
stages:
  extract:
    output_dir: phi-data/raw
    sources:
      {name}: {settings}
  canonize: {{output_dir: phi-data/canonical, mappings: []}}
  index: {{output_dir: phi-data/vector-store}}
"""


@pytest.fixture(scope="module")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory into which the package is installed."""
    place = tmp_path_factory.mktemp("extension")
    (place / "pyproject.toml").write_text(PROJECT)
    (place / "diary_source.py").write_text(MODULE)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--no-index"]
    options = ["--no-build-isolation", "--no-deps", "--target", str(place / "installed"), str(place)]
    subprocess.run([*pip, *options], check=True, cwd=place)
    return place / "installed"


def lorchestra(directory: Path, extension: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of `lorchestra` with the package installed."""
    env = {**os.environ, "PYTHONPATH": str(extension), "PYTHONSAFEPATH": "1"}
    program = Path(sys.executable).with_name("lorchestra")
    return subprocess.run([program, *words], cwd=directory, env=env, capture_output=True, text=True)


def pipeline(directory: Path, settings: str) -> None:
    directory.chmod(0o700)
    (directory / "pipeline.yaml").write_text(PIPELINE.format(name=NAME, settings=settings))
    (directory / "diary.jsonl").write_text('{"day": 1}\n{"day": 2}\n{"day": 3}\n')


def test_a_type_of_another_package_is_extracted(tmp_path: Path, extension: Path) -> None:
    pipeline(tmp_path, "{type: diary, path: diary.jsonl, pages: 2, key: [day]}")
    done = lorchestra(tmp_path, extension, "run", "--stage", "extract")
    assert done.returncode == 0, done.stdout + done.stderr
    (raw,) = (tmp_path / "phi-data" / "raw").iterdir()
    assert raw.name.startswith(NAME)
    assert raw.read_text() == '{"day": 1}\n{"day": 2}\n'


def test_its_settings_are_checked_like_those_of_built_in_types(tmp_path: Path, extension: Path) -> None:
    pipeline(tmp_path, "{type: diary, path: diary.jsonl, pagse: 2}")
    done = lorchestra(tmp_path, extension, "validate")
    assert done.returncode == 2
    assert "pagse" in done.stdout + done.stderr
    assert "pages" in done.stdout + done.stderr, "the closest match"


def test_a_type_that_no_package_provides_is_a_fault_of_the_configuration(tmp_path: Path, extension: Path) -> None:
    pipeline(tmp_path, "{type: diari, path: diary.jsonl}")
    done = lorchestra(tmp_path, extension, "validate")
    assert done.returncode == 2
    assert "pipeline.yaml:7" in done.stdout + done.stderr
    with pytest.raises(Failure) as raised:
        source_type.find("diari")
    assert raised.value.code is Code.CONFIG


def test_the_built_in_types_are_declared_as_entry_points_too() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["lorchestra.sources"]
    assert declared == {
        name: f"lorchestra.stages.extract.sources.{module}:{class_name}"
        for name, (module, class_name) in source_type._BUILT_IN.items()
    }


def test_built_in_types_are_found_without_a_search_for_entry_points(tmp_path: Path) -> None:
    """The search reads the metadata of every installed package."""
    (tmp_path / "pipeline.yaml").write_text(PIPELINE.format(name=NAME, settings="{type: files, inbox: phi-data/inbox}"))
    script = """
import sys
from pathlib import Path
from lorchestra.planning import config
from lorchestra.stages.extract import extraction
extraction.every(config.load(Path(sys.argv[1])).extract.sources)
print("importlib.metadata" in sys.modules)
"""
    command = [sys.executable, "-c", script, str(tmp_path / "pipeline.yaml")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "False"
