"""`lorchestra init`: the pipeline that it creates runs, and its commented examples are valid."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

from lorchestra.planning import config
from tests.harness import BIN, ROOT

TEMPLATE = ROOT / "lorchestra" / "commands" / "templates" / "pipeline.yaml"


def run(*argv: str, cwd: Path, status: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run one of our programs, or doit."""
    env = {**os.environ, **environment}
    ended = subprocess.run([BIN / argv[0], *argv[1:]], cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert ended.returncode == status, ended.stdout + ended.stderr
    return ended


def test_a_new_pipeline_runs_to_the_first_search(tmp_path: Path) -> None:
    shown = run("lorchestra", "init", "practice", cwd=tmp_path).stdout
    assert "Next: cd practice && lorchestra run" in shown
    practice = tmp_path / "practice"
    run("lorchestra", "validate", cwd=practice)
    assert stat.S_IMODE((practice / "phi-data").stat().st_mode) == 0o700
    run("lorchestra", "-C", "practice", "run", cwd=tmp_path)
    found = run("vector-projector", "search", "appointment", "--store", "phi-data/vector-store", cwd=practice).stdout
    assert "email" in found
    assert "canonize:email-20251110" in run("doit", "list", "--all", cwd=practice).stdout


def test_nothing_that_exists_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "transforms").symlink_to("elsewhere")
    refused = run("lorchestra", "init", cwd=tmp_path, status=2).stderr
    assert "transforms exists already; nothing was changed" in refused
    assert [path.name for path in tmp_path.iterdir()] == ["transforms"]


def test_the_commented_sources_of_the_template_are_valid(tmp_path: Path) -> None:
    text, count = re.subn(r"^      # ([a-z-]+: \{)", r"      \1", TEMPLATE.read_text(), flags=re.MULTILINE)
    assert count == 4
    (tmp_path / "pipeline.yaml").write_text(text)
    sources = config.load(tmp_path / "pipeline.yaml").extract.sources
    assert {source.type for source in sources} == {"sample", "files", "command", "mailbox", "meltano"}


def test_the_configuration_can_be_named_in_the_environment(tmp_path: Path) -> None:
    run("lorchestra", "init", "practice", cwd=tmp_path)
    shown = run("lorchestra", "status", cwd=tmp_path, LORCHESTRA_CONFIG="practice/pipeline.yaml").stdout
    assert "pipeline   practice" in shown
    assert (
        "is not supported" in run("lorchestra", "status", cwd=tmp_path, status=2, LORCHESTRA_CONFIG="gs://b/p").stderr
    )


def test_the_configuration_can_be_read_from_standard_input(tmp_path: Path) -> None:
    run("lorchestra", "init", "practice", cwd=tmp_path)
    content = (tmp_path / "practice" / "pipeline.yaml").read_text()

    def status(text: str) -> subprocess.CompletedProcess[str]:
        command = [str(BIN / "lorchestra"), "-C", "practice", "status", "--config", "-"]
        return subprocess.run(command, cwd=tmp_path, input=text, capture_output=True, text=True, check=False)

    assert "pipeline   practice" in status(content).stdout
    assert status(content.replace("name: practice", "nmae: practice")).stderr.startswith("lorchestra: standard input:")


@pytest.mark.parametrize(
    ("directory", "options", "name"),
    [("Praxis Müller", (), "praxis-m-ller"), ("診療所", (), "my-pipeline"), ("p", ("--name", "records"), "records")],
)
def test_the_pipeline_has_a_valid_name(tmp_path: Path, directory: str, options: tuple[str, ...], name: str) -> None:
    run("lorchestra", "init", directory, *options, cwd=tmp_path)
    assert config.load(tmp_path / directory / "pipeline.yaml").name == name


def test_an_invalid_name_creates_nothing(tmp_path: Path) -> None:
    assert "cannot name a pipeline" in run("lorchestra", "init", "p", "--name", "a: b", cwd=tmp_path, status=2).stderr
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize("directory", ["no-such-directory", "gs://bucket/directory"])
def test_an_invalid_directory_is_refused(tmp_path: Path, directory: str) -> None:
    assert "Traceback" not in run("lorchestra", "-C", directory, "status", cwd=tmp_path, status=2).stderr
