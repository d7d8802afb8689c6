"""`lorchestra clean`, through the real program."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import pytest

from tests.harness import BIN, Project


def test_clean_removes_files_that_can_be_rebuilt_after_confirmation(built: Project) -> None:
    before = built.canonical_bytes()
    assert "no terminal" in built.run("lorchestra", "clean", status=2).stderr
    assert "would be removed" in built.run("lorchestra", "clean", "--dry-run").stdout
    assert built.canonical_bytes() == before
    built.run("lorchestra", "clean", "--stage", "canonize", "--yes")
    assert built.canonical_bytes() == {}
    assert len(list(built.raw.iterdir())) == 5
    built.run("doit", "canonize")
    assert built.canonical_bytes() == before
    built.run("lorchestra", "clean", "--all", "--yes")
    assert list(built.raw.iterdir()) == []
    assert built.objects() == {}
    assert built.run("lorchestra", "clean", "--stage", "canonize").stdout == "nothing to remove\n"


def test_clean_refuses_to_remove_a_store_that_holds_records_of_streams(built: Project) -> None:
    store = built.root / "phi-data/vector-store"
    ingest: list[str | Path] = [BIN / "vector-projector", "ingest", "--streaming", "--store", store]
    subprocess.run(ingest, input=b'{"schema": "none"}\n', check=True, capture_output=True)
    before, raw = built.objects(), sorted(built.raw.iterdir())
    for options in (["--all"], ["--stage", "index"], ["--all", "--dry-run"]):
        assert "batches: 1" in built.run("lorchestra", "clean", *options, "--yes", status=2).stderr
    assert (built.objects(), sorted(built.raw.iterdir())) == (before, raw)
    assert "to do" not in built.run("lorchestra", "run").stderr


@pytest.mark.parametrize(("answer", "left"), [(b"y\n", 0), (b"n\n", 3), (b"\n", 3)])
def test_clean_asks_on_a_terminal(built: Project, answer: bytes, left: int) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [BIN / "lorchestra", "clean", "--stage", "canonize"],
        cwd=built.root,
        stdin=theirs,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        os.write(ours, answer)
        _, err = child.communicate(timeout=30)
    os.close(ours)
    os.close(theirs)
    assert "Remove" in err
    assert len(list(built.canonical.glob("*.jsonl"))) == left
