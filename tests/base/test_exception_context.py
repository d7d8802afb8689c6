"""The text of an exception that a failure hides never leaves a program.

`raise Failure(...) from None` hides the original exception from tracebacks and keeps it as `__context__`. Here every
failure of every program carries a token there, as a library's message with a piece of a record would.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness import Project

TOKEN = "Canary7f3a"
PLANT = f"""\
from lorchestra.base import errors

errors.Failure.__context__ = property(lambda failure: ValueError({TOKEN!r}), lambda failure, error: None)
"""
FAULTS = {
    "a raw file is not JSON Lines": ("run --stage canonize", 3),
    "the transform is missing": ("run --stage canonize", 4),
    "a program is missing": ("run --stage index", 2),
    "the source fails": ("run --stage extract", 1),
    "the store is no directory": ("run --stage index", None),
}


def break_it(project: Project, fault: str) -> None:
    """Cause a fault."""
    if fault == "a raw file is not JSON Lines":
        (project.raw / "gmail-messages-a-20251110.jsonl").write_text("no\n")
    elif fault == "the transform is missing":
        (project.root / "transforms/email/gmail_to_canonical_v1.meta.yaml").unlink()
    elif fault == "a program is missing":
        project.edit("  index:\n", "  index:\n    command: no-such-program\n")
    elif fault == "the source fails":
        project.edit("    sources:\n", '    sources:\n      broken-source-x: {type: command, command: ["false"]}\n')
    else:
        (project.raw / "gmail-messages-a-20251110.jsonl").unlink()
        (project.store / "metadata.db").write_bytes(b"no database" * 1000)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_token_in_the_context_of_a_failure_appears_nowhere(built: Project, tmp_path: Path, fault: str) -> None:
    (tmp_path / "plant").mkdir()
    (tmp_path / "plant" / "sitecustomize.py").write_text(PLANT)
    break_it(built, fault)
    argv, status = FAULTS[fault]
    env = {"PYTHONPATH": str(tmp_path / "plant")}
    run = built.run("lorchestra", *argv.split(), status=status, env=env)
    assert run.returncode != 0
    shown = built.run("lorchestra", "status", status=None, env=env)
    assert TOKEN not in run.stdout + run.stderr + shown.stdout + shown.stderr
    files = [path for path in built.root.rglob("*") if path.is_file()]
    assert any(path.parent == built.logs for path in files)
    assert [str(path) for path in files if TOKEN.encode() in path.read_bytes()] == []


def test_the_token_is_planted_in_every_program(project: Project, tmp_path: Path) -> None:
    (tmp_path / "plant").mkdir()
    (tmp_path / "plant" / "sitecustomize.py").write_text(f"{PLANT}\nprint('planted')\n")
    for program in ("lorchestra", "can", "vector-projector", "lorchestra-sample"):
        assert "planted" in project.run(program, "--help", env={"PYTHONPATH": str(tmp_path / "plant")}).stdout
