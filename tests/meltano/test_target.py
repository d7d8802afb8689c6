"""target-lorchestra as the loader of the real Meltano."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lorchestra.base.errors import Code
from lorchestra.planning.window import Window
from tests.meltano.conftest import ROOT
from tests.meltano.project import ACCOUNTS, Project
from tests.stages.harness import RAW, Harness


@pytest.fixture
def project(harness: Harness, meltano_venv: Path) -> Project:
    return Project.create(harness, meltano_venv, "target-lorchestra")


def test_a_first_run_gets_everything_and_a_second_nothing(project: Project) -> None:
    result = project.settle()
    assert (result.status, result.files, result.new_records) == ("ok", (RAW,), 6)
    event = project.harness.event("stream_loaded")
    assert event == {
        "source": ACCOUNTS[0], "stream": "messages", "records": 6, "discarded": 0, "violations": 0, "unchecked": 0
    }  # fmt: skip
    assert project.settle().status == "empty"
    project.receive([7, 8])
    assert project.settle().new_records == 2


def test_the_key_of_the_stream_identifies_its_records(project: Project) -> None:
    project.settle()
    changed = [record | {"n": record["n"] + 10, "changed": True} for record in project.records]
    project.serve(changed)
    result = project.run()
    assert (result.status, result.records, result.new_records, result.replaced) == ("ok", 6, 6, 6)
    assert project.harness.records() == changed
    project.serve([record | {"n": record["n"] + 10} for record in changed])
    assert project.run(key=[]).records == 12, "a declared key comes first: here, every line is a record of its own"


def test_two_streams_are_declared_and_published_separately(project: Project) -> None:
    project.plan("streams")
    result = project.run(attempts=3)
    assert (result.status, result.code, result.attempts, result.files) == ("failed", Code.CONFIG, 1, ())
    assert "streams that are not declared: message_list, messages; nothing was published" in result.message
    project.plan()
    declared = project.run(streams={"messages": ACCOUNTS[0], "message_list": f"{ACCOUNTS[0]}-list"})
    assert declared.files == (RAW, f"{ACCOUNTS[0]}-list-20251112.jsonl")
    assert project.harness.records() == project.records


def test_records_that_do_not_match_their_schema_are_kept_and_reported(project: Project) -> None:
    project.serve([record | {"id": 4} if record["n"] == 4 else record for record in project.records])
    result = project.run()
    assert (result.status, result.new_records) == ("ok", 6), project.log(result)
    assert result.warning == "1 record of stream messages kept, but not as its schema says"


def test_records_that_do_not_arrive_fail_the_source_and_the_bookmark_stays(project: Project) -> None:
    project.plan(loader="lose")
    result = project.run()
    assert (result.status, result.code) == ("partial", Code.SOURCE_FAILED)
    assert "sent 6 records of stream messages but target-lorchestra received 5; its bookmark stays" in result.message
    assert project.settle().new_records == 1


def test_a_time_window_is_fetched_again_and_the_bookmark_stays(project: Project) -> None:
    project.settle()
    project.harness.raw.joinpath(RAW).unlink()
    project.receive([7])
    source = project.source(window={"since.number": "{from:%s}"})
    window = Window(start=datetime.fromtimestamp(4, UTC))
    assert project.harness.run(replace(source, window=window)).new_records == 3
    assert [record["n"] for record in project.harness.records()] == [5, 6, 7]
    after = project.harness.run(source)
    assert (after.status, after.records, after.new_records) == ("ok", 3, 0), "the bookmark is still before the seventh"
    again = project.harness.run(replace(source, window=Window(full_refresh=True)))
    assert (again.records, again.new_records) == (7, 4)
    assert project.harness.run(source).status == "empty"


def test_it_can_be_installed_into_a_project_from_a_wheel(project: Project, tmp_path: Path) -> None:
    """`pip_url` of meltano.yml names the file; `meltano install` makes an environment for it."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "wheel", "--no-build-isolation"]
    subprocess.run([*pip, "--no-deps", f"--wheel-dir={tmp_path}", str(ROOT)], check=True)
    (wheel,) = tmp_path.glob("lorchestra-*.whl")
    path = project.root / "meltano.yml"
    text = path.read_text().replace(f"executable: {project.root}/target-lorchestra", f"pip_url: {wheel}")
    path.write_text(text)
    result = project.run()
    assert result.code is Code.COMPONENT_MISSING, "not installed yet"
    install = [str(project.venv / "bin" / "meltano"), "--log-level=warning", "install", "loader", "target-lorchestra"]
    subprocess.run(install, cwd=project.root, env=os.environ | {"MELTANO_SEND_ANONYMOUS_USAGE_STATS": "no"}, check=True)
    assert project.settle().new_records == 6
