"""The example with meltanolabs-tap-gmail against a loopback Gmail API with OAuth."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lorchestra.base.errors import Code
from lorchestra.planning.config import Retry, Source
from lorchestra.planning.window import Window
from lorchestra.stages.extract.extraction import expand
from lorchestra.stages.extract.result import SourceResult
from tests.meltano.conftest import ROOT
from tests.stages.harness import Harness

EXAMPLE = ROOT / "examples" / "meltano-ingest"
NAME = "gmail-messages-acct1-personal"
RAW = f"{NAME}-20251112.jsonl"


@pytest.fixture(scope="session")
def installed(meltano_venv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example's project with its tap."""
    repo = tmp_path_factory.mktemp("gmail") / "meltano-ingest"
    left_out = shutil.ignore_patterns(".meltano", ".venv", "phi-data", "logs", "mail", ".env")
    shutil.copytree(EXAMPLE, repo, ignore=left_out)
    shutil.copy(repo / ".env.example", repo / ".env")
    meltano_yml = repo / "meltano.yml"
    meltano_yml.write_text(meltano_yml.read_text().replace("../../.venv/bin", str(Path(sys.executable).parent)))
    env = os.environ | {"MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false", "MELTANO_CLI_DISABLE_VERSION_CHECK": "1"}
    install = [str(meltano_venv / "bin" / "meltano"), "--log-level", "warning", "install"]
    subprocess.run(install, cwd=repo, env=env | {"UV_COMPILE_BYTECODE": "1"}, check=True)
    return repo


@dataclass
class Account:
    """An account on the server, and the source that reads it."""

    harness: Harness
    server: Any
    source: Source

    def receive(self, start: str, records: int) -> None:
        sample = Path(sys.executable).with_name("lorchestra-sample")
        arguments = ["--name=new", f"--output={self.server.mail}", f"--start={start}", f"--records={records}"]
        subprocess.run([str(sample), "gmail-messages", *arguments], check=True, stdout=subprocess.DEVNULL)
        with (self.server.mail / "acct1.jsonl").open("ab") as mailbox:
            mailbox.write((self.server.mail / f"new-{start}.jsonl").read_bytes())

    def run(self, window: Window | None = None, attempts: int = 1) -> SourceResult:
        retry = Retry(enabled=True, max_attempts=attempts, backoff_seconds=0)
        return self.harness.run(replace(self.source, window=window), retry)

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.harness.raw / RAW).read_bytes().splitlines()]


@pytest.fixture
def account(
    harness: Harness, installed: Path, meltano_venv: Path, mail_server: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Account]:
    mail = harness.root / "mail"
    mail.mkdir()
    settings = {
        "repo_path": str(installed),
        "venv_path": str(meltano_venv),
        "loader": "target-lorchestra",
        "sources": {"tap-gmail--acct1-personal": NAME},
        "streams": {"messages": "{source}", "message_list": None},
        "key": ["id"],
        "window": {"TAP_GMAIL_MESSAGES_Q": "after:{from_utc:%Y/%m/%d}[ before:{to_utc:%Y/%m/%d}]"},
        "pass_env": ["GMAIL_API_URL"],
    }
    with mail_server.MailServer(mail) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("GMAIL_API_URL", server.url)
        (source,) = expand(Source("mail", "meltano", settings))
        account = Account(harness, server, source)
        account.receive("20251101", 4)
        account.receive("20251110", 3)
        yield account
        server.shutdown()


def test_bodies_and_not_the_stubs_of_the_list_are_published(account: Account) -> None:
    result = account.run()
    assert (result.status, result.files, result.new_records, result.discarded) == ("ok", (RAW,), 7, 7), result
    served = {message["id"]: message for message in account.server.messages("acct1")}
    assert {message["id"]: message for message in account.records()} == served
    again = account.run()
    assert (again.records, again.new_records) == (7, 0), "the tap keeps no bookmark; the key merges what comes again"


def test_a_window_becomes_a_query(account: Account) -> None:
    window = Window(datetime(2025, 11, 9, tzinfo=UTC), datetime(2025, 11, 12, tzinfo=UTC))
    assert account.run(window).new_records == 3
    assert "after:2025/11/09 before:2025/11/12" in account.server.queries
    assert account.run().new_records == 4


@pytest.mark.parametrize("fault", ["401", "expired"])
def test_a_refused_or_expired_token_is_renewed_by_the_next_attempt(account: Account, fault: str) -> None:
    account.server.faults["acct1", fault] = 1
    result = account.run(attempts=2)
    assert (result.status, result.attempts, result.records) == ("ok", 2, 7)


def test_the_tap_renews_a_token_in_time_and_waits_when_the_server_is_busy(account: Account) -> None:
    account.server.token_seconds = 1
    account.server.faults["acct1", "429"] = 1
    account.server.faults["acct1", "slow"] = 1
    result = account.run()
    assert (result.status, result.attempts, result.records) == ("ok", 1, 7)
    assert len(account.server.tokens) > 1


def test_a_refused_refresh_token_fails_the_source_without_naming_it(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GMAIL_REFRESH_TOKEN", "Secret-Refresh-77aa")
    refused = replace(account.source, settings={**account.source.settings, "pass_env": [
        "GMAIL_API_URL", "GMAIL_REFRESH_TOKEN"
    ]})  # fmt: skip
    result = account.harness.run(refused, Retry(enabled=True, max_attempts=2, backoff_seconds=0))
    assert (result.status, result.code, result.attempts) == ("failed", Code.SOURCE_FAILED, 2)
    assert "Secret-Refresh" not in json.dumps(account.harness.events()) + result.message
