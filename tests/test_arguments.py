"""Names of accounts and tokens never appear in the arguments of programs, which every user of the machine can read."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lorchestra.stages.extract.sources import source_type
from tests.faults import strace
from tests.harness import BIN, Project

CANARY = "canary7f3a"
TOKEN = "Canary-Token-7f3a"
SOURCES = f"""
      gmail-messages-jane-{CANARY}:
        {{type: sample, kind: gmail-messages, start: "20251110", records: 3, canary: {TOKEN}}}
      contacts-{CANARY}: {{type: command, command: [tools/fetch, --to, "{{output}}"]}}
      exchange-messages-{CANARY}: {{type: files, inbox: phi-data/inbox}}
      mail-messages-{CANARY}: {{type: mailbox, path: phi-data/mail-{CANARY}}}
      mail: {{type: meltano, repo_path: meltano, loader: target-jsonl, sources: {{tap-{CANARY}: gmail-{CANARY}}}}}
"""
FETCH = """#!/bin/sh
echo '{"contactid": "1"}' > "$2/$LORCHESTRA_SOURCE-$LORCHESTRA_DATE.jsonl"
exec sleep 0.1
"""
MELTANO_YML = """
default_environment: test
environments: [{name: test}]
plugins:
  extractors: [{name: tap-%s, executable: /bin/true}]
  loaders: [{name: target-jsonl, executable: /bin/true}]
"""
MELTANO = """#!{python}
# Like Meltano, which passes paths of its system directory to plugins.
import os, subprocess, sys
system = os.environ["MELTANO_SYS_DIR_ROOT"]
assert sys.argv[1] == "run" and sys.argv[-2] == "tap-{canary}", sys.argv
assert "LORCHESTRA_ARGUMENTS" not in os.environ and "" not in sys.path
subprocess.run(["/bin/sleep", "0.1", "--", system], stderr=subprocess.DEVNULL)
open(os.environ["RAW_DIR"] + "/messages.jsonl", "w").write('{{"id": "1"}}\\n')
"""


@pytest.fixture
def named(project: Project) -> Project:
    """A pipeline in which every name that can be an account's is a canary."""
    text = (project.root / "pipeline.yaml").read_text()
    head, rest = text.partition("sources:")[0], text.partition("  canonize:")[2]
    project.configure(f"{head}sources:{SOURCES}\n  canonize:{rest}")
    files = {
        "tools/fetch": FETCH,
        "meltano/.venv/bin/meltano": MELTANO.format(python=sys.executable, canary=CANARY),
        "meltano/meltano.yml": MELTANO_YML % CANARY,
    }
    for name, content in files.items():
        (project.root / name).parent.mkdir(parents=True, exist_ok=True)
        (project.root / name).write_text(content)
        (project.root / name).chmod(0o755)
    (project.root / "meltano/.venv/bin/python").symlink_to(sys.executable)
    inbox = project.root / "phi-data" / "inbox"
    for directory in (inbox.parent, inbox):
        directory.mkdir(mode=0o700)
    delivered = inbox / f"exchange-messages-{CANARY}-20251110.jsonl"
    delivered.write_text('{"id": "1"}\n')
    delivered.chmod(0o600)
    mail = project.root / "phi-data" / f"mail-{CANARY}"
    mail.mkdir(mode=0o700)
    (mail / "1.eml").write_text("From: a@example.org\nDate: Mon, 10 Nov 2025 10:00:00 +0000\n\nText\n")
    (mail / "1.eml").chmod(0o600)
    return project


def test_every_built_in_type_of_source_is_watched_here() -> None:
    assert [type_ for type_ in source_type._BUILT_IN if f"type: {type_}" not in SOURCES] == []


@contextmanager
def watched() -> Iterator[set[str]]:
    """The arguments and thread names of every process that runs meanwhile, as every user can read them."""
    seen, ended = set[str](), threading.Event()

    def watch() -> None:
        while not ended.is_set():
            for file in (*Path("/proc").glob("[0-9]*/cmdline"), *Path("/proc").glob("[0-9]*/task/*/comm")):
                try:
                    seen.add(file.read_bytes().decode(errors="replace"))
                except OSError:
                    continue

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc")
def test_no_name_of_an_account_is_visible_in_proc_during_a_run(named: Project) -> None:
    with watched() as seen:
        named.run("doit", "-n", "2", status=None)
    assert any("serve" in text for text in seen), "the watch saw none of our programs"
    assert [text for text in seen if CANARY in text or TOKEN in text] == []
    raw = {path.name.rpartition("-")[0] for path in named.raw.iterdir()}
    # The inbox's file may be too new to be taken in this run.
    assert raw >= {f"{source}-{CANARY}" for source in ("gmail-messages-jane", "gmail", "contacts")}
    assert not list((named.root / "phi-data/.work/staging").glob(".*")), "a neutral link was left behind"


@pytest.mark.skipif(not strace.available(), reason="needs strace")
def test_no_name_of_an_account_is_in_the_arguments_of_any_program_that_is_started(
    named: Project, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    traced = ["strace", "-f", "-qq", "-s", "65536", "-e", "trace=execve", "-o", str(trace), str(BIN / "lorchestra")]
    subprocess.run([*traced, "run"], cwd=named.root, capture_output=True, check=False, timeout=60)
    calls = [line for line in trace.read_text().splitlines() if "execve(" in line]
    started = {Path(line.split('"')[1]).name for line in calls}
    assert started >= {
        "lorchestra",
        "lorchestra-sample",
        "lorchestra-mailbox",
        "fetch",
        "can",
        "vector-projector",
        "python",
        "sleep",
    }
    assert [line for line in calls if CANARY in line or TOKEN in line] == []
