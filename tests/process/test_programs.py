"""Where a program is found, which version it is, and when that may have changed."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from lorchestra.base.errors import Code, Failure
from lorchestra.process import programs


def script(path: Path, text: str, mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(mode)
    return path


def test_our_own_programs_are_found_next_to_the_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert programs.find("can") == Path(sys.executable).parent / "can"


def test_other_programs_are_looked_up_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = script(tmp_path / "bin" / "my-canonizer", "")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert programs.find("my-canonizer") == program
    assert programs.find(str(program)) == program


@pytest.mark.parametrize("name", ["no-such-program", "/nowhere/can", "", "..", "."])
def test_what_is_found_nowhere_is_missing(name: str) -> None:
    with pytest.raises(Failure) as caught:
        programs.find(name)
    assert (caught.value.code, caught.value.exit) == (Code.COMPONENT_MISSING, 2)


def test_a_file_that_cannot_be_executed_is_missing(tmp_path: Path) -> None:
    with pytest.raises(Failure):
        programs.find(str(script(tmp_path / "can", "", 0o644)))


def test_a_version_is_what_the_program_says() -> None:
    assert programs.version(["can"]).startswith("can ")


@pytest.mark.parametrize("text", ["exit 3", "echo half; exit 1", "kill -9 $$", "exec /nowhere/x"])
def test_a_program_that_does_not_answer_has_none(tmp_path: Path, text: str) -> None:
    assert programs.version([str(script(tmp_path / "can", text))]) == ""


def test_any_output_is_read_as_text(tmp_path: Path) -> None:
    program = script(tmp_path / "can", r"printf 'v\377'; echo secret >&2; cat; echo $SECRET")
    os.environ["SECRET"] = "Secret7f3a"
    try:
        assert programs.answer([str(program)]) == (0, "v\ufffd\n")
    finally:
        del os.environ["SECRET"]
    status, text = programs.answer([str(script(tmp_path / "long", "head -c 200000 /dev/zero"))])
    assert (status, len(text)) == (0, 65536)


def test_a_program_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    began = time.monotonic()
    assert programs.answer([str(script(tmp_path / "can", "exec sleep 60"))], timeout_seconds=0.2) == (1, "")
    assert time.monotonic() - began < 20


def test_a_program_that_cannot_be_started_has_no_answer(tmp_path: Path) -> None:
    assert programs.answer([str(tmp_path / "nowhere")]) == (1, "")
    assert programs.answer([str(script(tmp_path / "closed", "", 0o644))]) == (1, "")


def test_the_identity_changes_with_the_program_and_its_packages(tmp_path: Path) -> None:
    program = script(tmp_path / "venv" / "bin" / "can", "")
    packages = tmp_path / "venv" / "lib" / "python3.11" / "site-packages"
    packages.mkdir(parents=True)
    seen = {programs.identity([str(program)])}
    assert programs.identity([str(program)]) in seen
    os.utime(program, ns=(1, 1))
    assert programs.identity([str(program)]) not in seen
    seen.add(programs.identity([str(program)]))
    time.sleep(0.02)
    (packages / "new").mkdir()
    assert programs.identity([str(program)]) not in seen
