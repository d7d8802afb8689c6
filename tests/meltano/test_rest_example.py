"""The example with a REST API: a Singer SDK tap and target-lorchestra against an HTTP server that has bad days."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lorchestra.base.errors import Code
from lorchestra.planning.config import Retry, Source
from lorchestra.stages.extract.result import SourceResult
from tests.meltano.conftest import ROOT
from tests.stages.harness import Harness

EXAMPLE = ROOT / "examples" / "meltano-rest"
NAME = "gmail-messages-acct1-personal"
RAW = f"{NAME}-20251112.jsonl"
CANARY = "PHI-Canary-9d1e"


@pytest.fixture(scope="session")
def installed(meltano_venv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example's project with its plugins."""
    repo = tmp_path_factory.mktemp("example") / "meltano-rest"
    shutil.copytree(
        EXAMPLE, repo, ignore=shutil.ignore_patterns(".meltano", ".venv", "phi-data", "logs", "mail", ".env")
    )
    shutil.copy(repo / ".env.example", repo / ".env")
    meltano_yml = repo / "meltano.yml"
    meltano_yml.write_text(meltano_yml.read_text().replace("../../.venv/bin", str(Path(sys.executable).parent)))
    env = os.environ | {
        "MAIL_API_URL": "http://127.0.0.1:1",
        "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
        "MELTANO_CLI_DISABLE_VERSION_CHECK": "1",
        "UV_COMPILE_BYTECODE": "1",
    }
    subprocess.run(
        [meltano_venv / "bin" / "meltano", "--log-level", "warning", "install"], cwd=repo, env=env, check=True
    )
    return repo


class Mailbox:
    """An account on the server, and the pipeline that reads it."""

    def __init__(self, harness: Harness, repo: Path, venv: Path, server: Any) -> None:
        self.harness, self.server = harness, server
        settings = {
            "repo_path": str(repo),
            "venv_path": str(venv),
            "loader": "target-lorchestra",
            "pass_env": ["MAIL_API_URL"],
        }
        self.source = Source(NAME, "meltano", settings)

    def receive(self, start: str, records: int) -> None:
        sample = Path(sys.executable).with_name("lorchestra-sample")
        options = ["--name=new", f"--start={start}", f"--records={records}", f"--canary={CANARY}"]
        directory = self.server.mail / "new"
        subprocess.run(
            [sample, "gmail-messages", f"--output={directory}", *options], check=True, stdout=subprocess.DEVNULL
        )
        with (self.server.mail / "acct1.jsonl").open("ab") as mailbox:
            mailbox.write((directory / f"new-{start}.jsonl").read_bytes())

    def run(self, attempts: int = 1) -> SourceResult:
        return self.harness.run(self.source, Retry(enabled=True, max_attempts=attempts, backoff_seconds=0))

    def settle(self) -> SourceResult:
        """A run on a good day; then the raw file holds exactly the server's messages, as the server has them."""
        self.server.faults.clear()
        result = self.run()
        assert result.code is None, result.child_log and result.child_log.read_text()
        served = {message["id"]: message for message in self.server.messages("acct1")}
        lines = (self.harness.raw / RAW).read_bytes().splitlines()
        assert len(lines) == len(served)
        assert {message["id"]: message for message in map(json.loads, lines)} == served
        self.check_privacy()
        return result

    def check_privacy(self) -> None:
        outside = [self.harness.root / "logs", Path(self.source.settings["repo_path"])]
        for directory in outside:
            for path in directory.rglob("*"):
                if path.is_file() and "venv" not in path.parts:
                    assert CANARY.encode() not in path.read_bytes(), path


@pytest.fixture
def mailbox(
    harness: Harness, installed: Path, meltano_venv: Path, mail_server: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Mailbox]:
    mail = harness.root / "mail"
    mail.mkdir()
    with mail_server.MailServer(mail) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("MAIL_API_URL", server.url)
        box = Mailbox(harness, installed, meltano_venv, server)
        box.receive("20251110", 9)
        yield box
        server.shutdown()


def test_a_second_run_fetches_only_what_is_new(mailbox: Mailbox) -> None:
    assert mailbox.settle().new_records == 9
    assert mailbox.harness.counted[-1] == (NAME, 9)
    assert mailbox.server.gets == 9
    before = (mailbox.harness.raw / RAW).stat()
    assert mailbox.settle().status == "empty"
    assert (mailbox.server.gets, (mailbox.harness.raw / RAW).stat()) == (9, before)
    mailbox.receive("20251111", 3)
    assert mailbox.settle().new_records == 3
    assert mailbox.server.gets == 12


@pytest.mark.parametrize("fault", ["429", "500", "slow", "truncated"])
def test_a_passing_fault_is_met_by_the_tap_itself(mailbox: Mailbox, fault: str) -> None:
    mailbox.server.faults["acct1", fault] = 1
    result = mailbox.run()
    assert (result.status, result.attempts, result.new_records) == ("ok", 1, 9)
    assert mailbox.settle().status == "empty"


def test_a_refused_token_is_tried_again_by_the_retry_policy(mailbox: Mailbox) -> None:
    mailbox.server.faults["acct1", "401"] = 1
    result = mailbox.run(attempts=2)
    assert (result.status, result.attempts, result.new_records) == ("ok", 2, 9)
    mailbox.settle()


def test_a_server_that_stays_down_fails_the_source_and_loses_nothing(mailbox: Mailbox) -> None:
    mailbox.server.faults["acct1", "500"] = 999
    result = mailbox.run()
    assert (result.status, result.code) == ("failed", Code.SOURCE_FAILED)
    mailbox.settle()


def test_a_poison_message_holds_back_neither_the_others_nor_itself_for_ever(mailbox: Mailbox) -> None:
    mailbox.server.faults["acct1", "poison"] = 1
    result = mailbox.run()
    assert (result.status, result.code, result.new_records) == ("partial", Code.SOURCE_FAILED, 8)
    assert mailbox.settle().new_records == 1
