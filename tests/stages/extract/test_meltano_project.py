"""Which extractors an entry of type meltano stands for, read from meltano.yml without starting a program."""

from __future__ import annotations

import contextlib
import sqlite3
import stat
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lorchestra.base.errors import Code, Failure
from lorchestra.planning.config import Source
from lorchestra.stages.extract.extraction import expand
from lorchestra.stages.extract.sources import meltano_project, meltano_system
from lorchestra.stages.extract.sources.meltano_events import Events
from lorchestra.stages.extract.sources.meltano_system import Bookmarks

PLUGINS = """
default_environment: dev
plugins:
  extractors:
  - {name: gmail-messages-acct1, inherit_from: tap-gmail}
  - {name: gmail-messages-acct2, inherit_from: tap-gmail}
  - {name: tap--odd, namespace: odd}
  loaders:
  - name: target-jsonl
  - name: target-postgres
"""


def blocks(tmp_path: Path, text: str, **settings: Any) -> list[tuple[str, tuple[str, ...]]]:
    (tmp_path / "meltano.yml").write_text(text)
    fixed = {"repo_path": str(tmp_path), "loader": "target-jsonl", "timeout_seconds": 60}
    sources = expand(Source("mail", "meltano", fixed | settings))
    for source in sources:
        assert source.settings["timeout_seconds"] == 60
        assert not {"job", "sources"} & source.settings.keys()
    return [(source.name, source.settings["blocks"]) for source in sources]


def fault(tmp_path: Path, text: str, **settings: Any) -> str:
    with pytest.raises(Failure) as caught:
        blocks(tmp_path, text, **settings)
    assert caught.value.code is Code.CONFIG
    assert caught.value.__context__ is None
    return caught.value.message


BOTH = [
    ("gmail-messages-acct1", ("gmail-messages-acct1", "target-jsonl")),
    ("gmail-messages-acct2", ("gmail-messages-acct2", "target-jsonl")),
]


@pytest.mark.parametrize(
    "tasks",
    [
        "[gmail-messages-acct1 target-jsonl, gmail-messages-acct2 target-jsonl]",
        "[[gmail-messages-acct1 target-jsonl, gmail-messages-acct2 target-jsonl]]",
        "[gmail-messages-acct1 target-jsonl gmail-messages-acct2 target-jsonl]",
    ],
)
def test_the_tasks_of_a_job_are_its_extractors(tmp_path: Path, tasks: str) -> None:
    assert blocks(tmp_path, f"{PLUGINS}jobs: [{{name: all, tasks: {tasks}}}]", job="all") == BOTH


def test_extractors_are_listed_or_named_by_the_entry(tmp_path: Path) -> None:
    assert blocks(tmp_path, PLUGINS, sources=["gmail-messages-acct1", "gmail-messages-acct2"]) == BOTH
    assert blocks(tmp_path, PLUGINS, extractor="gmail-messages-acct1") == [("mail", BOTH[0][1])]
    (same,) = expand(Source("gmail-messages-acct2", "meltano", {"repo_path": str(tmp_path), "loader": "target-jsonl"}))
    assert same.name == "gmail-messages-acct2"


def test_plugins_keep_the_names_that_meltano_users_give_them(tmp_path: Path) -> None:
    text = """
default_environment: dev
plugins:
  extractors: [{name: tap-gmail--acct1-personal}, {name: tap-msgraph-mail--ben-mensio}]
  loaders: [{name: target-jsonl}]
"""
    gmail, graph = "tap-gmail--acct1-personal", "tap-msgraph-mail--ben-mensio"
    assert blocks(tmp_path, text, extractor=gmail) == [("mail", (gmail, "target-jsonl"))]
    assert [name for name, _ in blocks(tmp_path, text, sources=[gmail, graph])] == [
        "gmail-acct1-personal",
        "msgraph-mail-ben-mensio",
    ]
    named = blocks(tmp_path, text, sources={gmail: "gmail-messages-acct1", graph: "exchange-messages-ben"})
    assert [name for name, _ in named] == ["gmail-messages-acct1", "exchange-messages-ben"]


def test_an_unknown_environment_is_found_before_meltano_starts(tmp_path: Path) -> None:
    text = f"{PLUGINS}environments: [{{name: dev}}, {{name: prod}}]"
    assert "there is no environment staging (environments: dev, prod)" in fault(
        tmp_path, text, extractor="gmail-messages-acct1", environment="staging"
    )
    assert "no Meltano environment is chosen" in fault(
        tmp_path, text.replace("default_environment: dev", ""), extractor="gmail-messages-acct1"
    )


def test_mappers_between_extractor_and_loader_are_kept(tmp_path: Path) -> None:
    text = f"{PLUGINS}jobs: [{{name: all, tasks: [gmail-messages-acct1 hide-names target-jsonl]}}]"
    assert blocks(tmp_path, text, job="all")[0][1] == ("gmail-messages-acct1", "hide-names", "target-jsonl")


def test_a_project_in_several_files_is_read_completely(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "plugins.yml").write_text(PLUGINS)
    (tmp_path / "parts" / "jobs.yml").write_text("jobs: [{name: all, tasks: gmail-messages-acct1 target-jsonl}]")
    assert (
        blocks(tmp_path, "default_environment: dev\ninclude_paths: [parts/*.yml, meltano.yml]", job="all") == BOTH[:1]
    )


@pytest.mark.parametrize(
    ("text", "settings", "what"),
    [
        (PLUGINS, {"job": "all"}, "there is no job all (jobs: none)"),
        (PLUGINS + "jobs: [{name: x, tasks: []}]", {"job": "all"}, "there is no job all (jobs: x)"),
        (PLUGINS + "jobs: [{name: all, tasks: []}]", {"job": "all"}, "names no extractor"),
        (PLUGINS + "jobs: [{name: all, tasks: [dbt:run]}]", {"job": "all"}, "more than extractors"),
        (PLUGINS + "jobs: [{name: all, tasks: [gmail-messages-acct1]}]", {"job": "all"}, "no loader for gmail-"),
        (
            PLUGINS + "jobs: [{name: all, tasks: [gmail-messages-acct1 gmail-messages-acct2 target-jsonl]}]",
            {"job": "all"},
            "more than extractors",
        ),
        (
            PLUGINS + "jobs: [{name: all, tasks: [gmail-messages-acct1 target-postgres]}]",
            {"job": "all"},
            "to target-postgres, not to the loader target-jsonl",
        ),
        (PLUGINS, {"sources": ["gmail-messages-acct1"] * 2}, "the same one twice"),
        (PLUGINS, {"sources": ["tap-nowhere"]}, "no extractor tap-nowhere"),
        (PLUGINS, {"sources": ["gmail-messages-acct1"], "loader": "target-x"}, "no loader target-x"),
        (PLUGINS, {}, "no extractor mail"),
        ("plugins: {extractors: [{name: 1}, x, {}]}", {}, "no extractor mail"),
        ("[]", {}, "not a mapping"),
        ("", {}, "not a mapping"),
        ("a: [\nb: secret-password: {", {}, "meltano.yml:2: not YAML"),
        ("a: !!python/object:os.system x", {}, "meltano.yml:1: not YAML"),
        ("a: \x01", {}, "not YAML"),
        ("[" * 5000, {}, "not YAML"),
    ],
)
def test_a_fault_in_the_project_is_named(tmp_path: Path, text: str, settings: dict[str, Any], what: str) -> None:
    told = fault(tmp_path, text, **settings)
    assert what in told
    assert "secret" not in told


def test_a_missing_project_is_named(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"nowhere/meltano\.yml: no such file") as caught:
        expand(Source("mail", "meltano", {"repo_path": str(tmp_path / "nowhere"), "loader": "target-jsonl"}))
    assert caught.value.code is Code.MISSING


def test_a_missing_installation_is_reported_before_meltano_starts(tmp_path: Path) -> None:
    text = """
    plugins:
      extractors:
      - {name: tap-gmail, pip_url: ./tap}
      - {name: gmail-messages-acct1, inherit_from: tap-gmail}
      - {name: circle, inherit_from: circle}
      loaders:
      - {name: target-jsonl, executable: ./target}
    """
    (tmp_path / "meltano.yml").write_text(text)
    project = meltano_project.read(tmp_path)
    with pytest.raises(Failure, match="gmail-messages-acct1 is not installed") as caught:
        project.require_installed("gmail-messages-acct1", "target-jsonl")
    assert caught.value.code is Code.COMPONENT_MISSING
    assert caught.value.advice == f"Run `meltano install` in {tmp_path}."
    project.require_installed("circle", "target-jsonl")
    (tmp_path / ".meltano" / "extractors" / "tap-gmail" / "venv").mkdir(parents=True)
    project.require_installed("gmail-messages-acct1", "target-jsonl")


def bookmarks(own: Path, project: Path) -> Bookmarks:
    return Bookmarks(own, project, None, "gmail-messages-acct1")


def test_plugins_that_were_installed_later_are_used(tmp_path: Path) -> None:
    """Meltano made a directory of its own where nothing was installed yet, or the project moved."""
    own, plugins = tmp_path / "own", tmp_path / "project" / ".meltano" / "extractors"
    plugins.mkdir(parents=True)
    (own / "meltano" / "extractors" / "tap-gmail").mkdir(parents=True)
    for _ in range(2):
        system = bookmarks(own, tmp_path / "project").prepare()
        assert (system / "extractors").readlink() == plugins
    moved = (tmp_path / "project").rename(tmp_path / "moved")
    assert (bookmarks(own, moved).prepare() / "extractors").is_dir()


def test_bookmarks_are_copied_from_the_project_once_and_can_be_dated(tmp_path: Path) -> None:
    own, database = tmp_path / "own", tmp_path / "project" / ".meltano" / "meltano.db"
    source = Source("gmail-messages-acct1", "meltano", {})
    assert meltano_system.bookmark(source, own) is None
    database.parent.mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("create table runs (payload_flags, ended_at, last_heartbeat_at, started_at)")
        connection.execute("insert into runs values (1, null, '2025-11-12 10:30:45.5', '2025-11-12 10:30:00')")
        connection.execute("insert into runs values (0, '2025-11-13 10:30:00', null, '2025-11-13 10:00:00')")
        connection.commit()
    system = bookmarks(own, tmp_path / "project").prepare()
    assert meltano_system.bookmark(source, own) == datetime(2025, 11, 12, 10, 30, 45, 500_000, UTC)
    assert stat.S_IMODE((system / "meltano.db").stat().st_mode) == 0o600
    database.write_bytes(b"no database" * 1000)
    bookmarks(own, tmp_path / "project").prepare()
    (system / "meltano.db").unlink()
    with pytest.raises(Failure, match="cannot be read as Meltano's database") as caught:
        bookmarks(own, tmp_path / "project").prepare()
    assert caught.value.__context__ is None
    assert list(system.iterdir()) == []


def mark(database: Path, bookmark: str) -> None:
    database.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("create table if not exists state (bookmark)")
        connection.execute("delete from state")
        connection.execute("insert into state values (?)", [bookmark])
        connection.commit()


@pytest.mark.parametrize(
    ("committed", "went_down", "bookmark"),
    [
        (False, False, "moved"),
        (True, False, "moved"),
        (False, True, "the project's"),
        (True, True, "safe"),
    ],
)
def test_a_bookmark_counts_when_its_records_are_safe(
    tmp_path: Path, committed: bool, went_down: bool, bookmark: str
) -> None:
    own, project = tmp_path / "own", tmp_path / "project"
    mark(project / ".meltano" / "meltano.db", "the project's")
    database = bookmarks(own, project).prepare() / "meltano.db"
    if committed:
        mark(database, "safe")
        bookmarks(own, project).commit()
        bookmarks(own, project).prepare()
    mark(database, "moved")
    if went_down:
        (own / "running").write_text("another boot")
    bookmarks(own, project).prepare()
    with contextlib.closing(sqlite3.connect(database)) as connection:
        assert connection.execute("select bookmark from state").fetchall() == [(bookmark,)]


def test_no_more_extractors_of_a_project_run_than_allowed(tmp_path: Path) -> None:
    order: list[str] = []

    def second() -> None:
        with meltano_system.turn(tmp_path, tmp_path / "project", 1):
            order.append("second")

    with meltano_system.turn(tmp_path, tmp_path / "project", 1):
        waiting = threading.Thread(target=second)
        waiting.start()
        with (
            meltano_system.turn(tmp_path, tmp_path / "other", 1),
            meltano_system.turn(tmp_path, tmp_path / "project", 2),
        ):
            time.sleep(0.3)
            order.append("first")
    waiting.join()
    assert order == ["first", "second"]


METRIC = b'{"type": "counter", "metric": "record_count", "value": 5, "tags": {}}'


@pytest.mark.parametrize(
    ("line", "count"),
    [
        (b'{"producer": true, "event": "x", "metric_info": ' + METRIC + b"}", 5),
        (b'{"producer": false, "event": "x", "metric_info": ' + METRIC + b"}", 0),
        (b'{"producer": true, "event": "INFO METRIC: ' + METRIC.replace(b'"', b'\\"') + b'"}', 5),
        (b'{"producer": true, "event": "record_count of nothing"}', 0),
        (b'{"producer": true, "metric_info": {"type": "counter", "metric": "record_count", "value": "x"}}', 0),
        (b'{"producer": true, "metric_info": {"type": "counter", "metric": "record_count", "value": -5}}', 0),
        (b'{"producer": true, "metric_info": {"type": "gauge", "metric": "record_count", "value": 5}}', 0),
        (b'["record_count"]', 0),
        (b"Aborted! record_count", 0),
        (b"\xff record_count", 0),
        (b"[" * 5000 + b"record_count", 0),
    ],
)
def test_only_the_metrics_of_extractors_count(line: bytes, count: int) -> None:
    told: list[int] = []
    events = Events(told.append)
    events.line(line)
    assert (events.records, list(events.reasons), told) == (count, [], [count] if count else [])


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b'{"event": "Block run completed", "exit_codes": {"extractors": 1}}', "its extractor ended with status 1"),
        (b'{"exit_codes": {"loaders": 1, "extractors": -9}}', "its extractor ended with status -9"),
        (b'{"exit_codes": {"extractors": "secret"}}', ""),
        (b'{"exit_codes": {"secrets": 1}}', ""),
        (b'{"exit_codes": null}', ""),
        (b'"exit_codes"', ""),
        (b'{"exit_codes"', ""),
    ],
)
def test_only_the_part_that_failed_is_named(line: bytes, what: str) -> None:
    events = Events(lambda _records: None)
    events.line(line)
    assert (events.records, list(events.reasons)) == (0, [what] if what else [])


@pytest.mark.parametrize("tags", ['{"stream": "messages"}', '{"endpoint": "messages"}'])
def test_the_stream_of_a_metric_is_known_from_taps_of_both_libraries(tags: str) -> None:
    """The Meltano SDK tags its metrics with the stream, singer-python with the endpoint."""
    events = Events(lambda _records: None)
    events.line(b'{"producer": true, "event": "x", "metric_info": ' + METRIC.replace(b"{}", tags.encode()) + b"}")
    assert events.streams == {"messages": 5}
