"""`can transform try`: shows a record next to its result; for private records only after confirmation."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from tests.components.canonizer.harness import CAN, NOTE, Registry, can

SECRET = "SECRET4711"


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    made = Registry(tmp_path)
    made.flat('{"id": $uppercase(id)}')
    made.schema(NOTE, {"properties": {"id": {"maxLength": 20}}})
    lines = [{"id": f"first {SECRET}"}, {"id": "second"}, {"id": "x" * 30}]
    (tmp_path / "input.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return tmp_path


def tried(registry: Path, *options: str | Path, file: str = "input.jsonl") -> subprocess.CompletedProcess[bytes]:
    return can("transform", "try", "note/raw_to_note_v1", "--registry", registry, "--input", registry / file, *options)


def test_without_a_terminal_and_without_yes_nothing_private_is_shown(registry: Path) -> None:
    done = tried(registry)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"--yes" in done.stderr
    assert SECRET.encode() not in done.stderr


def test_a_record_and_its_result_are_shown_side_by_side(registry: Path) -> None:
    done = tried(registry, "--yes", "--line", "2")
    assert (done.returncode, done.stderr) == (0, b"")
    assert any('"id": "second"' in line and '"id": "SECOND"' in line for line in done.stdout.decode().splitlines())


def test_a_rejected_record_says_why(registry: Path) -> None:
    done = tried(registry, "--yes", "--line", "3")
    assert done.returncode == 7
    assert "rejected: schema_out: maxLength" in done.stdout.decode()
    assert done.stdout.decode().count("X" * 20) == 1  # the result that was rejected


def test_a_document_may_be_pretty_printed(registry: Path) -> None:
    (registry / "one.json").write_text('{\n  "id": "third"\n}\n')
    assert '"THIRD"' in tried(registry, "--yes", file="one.json").stdout.decode()


def test_a_terminal_never_gets_control_characters_of_a_record(registry: Path) -> None:
    (registry / "odd.json").write_text(json.dumps({"id": "\x1b[2J\x9b1m\u202e[bold]"}))
    done = tried(registry, "--yes", file="odd.json")
    assert done.returncode == 0
    assert not {"\x1b", "\x9b", "\u202e"} & set(done.stdout.decode())
    assert "[bold]" in done.stdout.decode()


def test_a_record_that_cannot_be_parsed_is_shown(registry: Path) -> None:
    (registry / "odd.jsonl").write_bytes(b'{"id": "\\ud800"}\n')
    done = tried(registry, "--yes", file="odd.jsonl")
    assert done.returncode == 7
    assert "rejected: parse: lone_surrogate" in done.stdout.decode()


@pytest.mark.parametrize(
    ("content", "options", "status"),
    [
        ("{}\n{\n", ["--line", "2"], 3),
        ("{}\n", ["--line", "9"], 2),
        ("{}\n", ["--line", "0"], 2),
        ("", [], 2),
        ("not json\n", [], 3),
    ],
)
def test_invalid_input_is_refused(content: str, options: list[str], status: int, registry: Path) -> None:
    (registry / "odd").write_text(content)
    done = tried(registry, "--yes", *options, file="odd")
    assert done.returncode == status
    assert b"Traceback" not in done.stderr


def test_a_missing_input_is_refused(registry: Path) -> None:
    assert tried(registry, "--yes", file="none").returncode == 2


@pytest.mark.parametrize(("answer", "status", "shown"), [(b"y\n", 0, True), (b"\n", 130, False), (b"no\n", 130, False)])
def test_on_a_terminal_it_asks_first(answer: bytes, status: int, shown: bool, registry: Path) -> None:
    where = ["--registry", str(registry), "--input", str(registry / "input.jsonl")]
    command = [str(CAN), "transform", "try", "note/raw_to_note_v1", *where]
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs) as child:
        os.close(theirs)
        os.write(ours, answer)
        told = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the terminal's other end is closed
                break
            if not part:
                break
            told += part
        assert child.wait(timeout=30) == status
    os.close(ours)
    assert b"[y/N]" in told
    assert (SECRET.encode() in told) is shown
