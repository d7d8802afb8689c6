"""`lorchestra clean`, through the real program."""

from __future__ import annotations

import os
import pty
import subprocess

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
