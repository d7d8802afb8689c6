"""The Singer target, as a program with real pipes."""

import json
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TARGET = [sys.executable, "-c", "from lorchestra.components.target.cli import main; raise SystemExit(main())"]
SCHEMA = {
    "type": "SCHEMA",
    "stream": "a",
    "key_properties": ["id"],
    "schema": {"type": "object", "properties": {"id": {"type": "integer"}}},
}


def run(tmp_path: Path, *lines: Any, options: tuple[str, ...] = ()) -> "subprocess.CompletedProcess[bytes]":
    text = b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)
    command = [*TARGET, "--output", str(tmp_path / "raw"), "--date", "20251112", *options]
    return subprocess.run(command, input=text, capture_output=True, check=False)


def record(value: Any, stream: str = "a") -> dict[str, Any]:
    return {"type": "RECORD", "stream": stream, "record": {"id": value}}


def test_one_private_raw_file_per_stream_then_the_last_state(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    states = [{"type": "STATE", "value": {"at": n}} for n in (1, 2)]
    lines = [SCHEMA, record(1), states[0], record("wrong"), record(3, "b"), record(4, "c"), states[1]]
    options = ("--stream", "b=b-acct1", "--stream", "c=", "--report", str(report))
    result = run(tmp_path, *lines, options=options)
    assert (result.returncode, result.stdout) == (0, b'{"at":2}\n'), result.stderr
    raw = tmp_path / "raw"
    assert sorted(path.name for path in raw.iterdir()) == ["a-20251112.jsonl", "b-acct1-20251112.jsonl"]
    assert (raw / "a-20251112.jsonl").read_bytes() == b'{"id": 1}\n{"id": "wrong"}\n'
    assert stat.S_IMODE((raw / "a-20251112.jsonl").stat().st_mode) == 0o600
    assert stat.S_IMODE(raw.stat().st_mode) == 0o700
    streams = json.loads(report.read_bytes())["streams"]
    assert streams["a"]["key_properties"] == ["id"]
    assert (streams["a"]["records"], streams["a"]["violations"]) == (2, 1)
    assert (streams["b"]["unchecked"], streams["c"]["discarded"]) == (1, 1)
    assert b"wrong" not in result.stderr


@pytest.mark.parametrize(
    "text",
    [
        b'{"n":12345678901234567890123,"f":1.10,"s":"},\\"version\\":3}"}',
        b'{"a":{"record":{"b":1}},"version":3}',
        b'{"x":NaN}',
        b"{}",
    ],
)
@pytest.mark.parametrize("tail", [b"", b',"version":7,"time_extracted":"2025-11-12T00:00:00Z"'])
def test_a_record_keeps_its_text(tmp_path: Path, text: bytes, tail: bytes) -> None:
    result = run(tmp_path, b'{"type":"RECORD","stream":"a","record":' + text + tail + b"}")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "raw" / "a-20251112.jsonl").read_bytes() == text + b"\n"


def test_keys_in_another_order_keep_large_integers(tmp_path: Path) -> None:
    run(tmp_path, b'{"record":{"n":12345678901234567890123},"stream":"a","type":"RECORD"}')
    assert (tmp_path / "raw" / "a-20251112.jsonl").read_bytes() == b'{"n":12345678901234567890123}\n'


@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"RECORD","stream":"a","record":{"id":"canary',
        b"[]",
        {"type": "canary"},
        {"type": "BATCH", "stream": "a"},
        {"type": "RECORD", "stream": "a", "record": "canary"},
        {"type": "RECORD", "record": {}},
    ],
)
def test_a_broken_message_ends_with_its_line_and_publishes_nothing(tmp_path: Path, line: Any) -> None:
    result = run(tmp_path, SCHEMA, record(1), {"type": "STATE", "value": {}}, line)
    assert (result.returncode, result.stdout) == (3, b"")
    assert b"line 4" in result.stderr
    assert b"canary" not in result.stderr
    assert list((tmp_path / "raw").iterdir()) == []


def test_two_streams_never_share_a_raw_file(tmp_path: Path) -> None:
    result = run(tmp_path, record(1, "b"), record(2), options=("--stream", "b=a"))
    assert result.returncode == 2
    assert list((tmp_path / "raw").iterdir()) == []


def test_a_killed_run_publishes_nothing_and_the_next_run_removes_its_rest(tmp_path: Path) -> None:
    run(tmp_path, record(1))
    command = [*TARGET, "--output", str(tmp_path / "raw"), "--date", "20251112"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        assert program.stdin
        program.stdin.write(json.dumps(record("x" * 3_000_000)).encode() + b"\n")
        program.stdin.flush()
        while len(list((tmp_path / "raw").iterdir())) < 2:
            pass
        assert run(tmp_path, record(2)).returncode == 8
        program.send_signal(signal.SIGKILL)
    result = run(tmp_path, record(2))
    assert result.returncode == 0, result.stderr
    assert [path.name for path in (tmp_path / "raw").iterdir()] == ["a-20251112.jsonl"]
    assert (tmp_path / "raw" / "a-20251112.jsonl").read_bytes() == b'{"id": 1}\n{"id": 2}\n'


def test_a_state_in_a_long_run_is_printed_after_its_records_are_published(tmp_path: Path) -> None:
    command = [*TARGET, "--output", str(tmp_path / "raw"), "--date", "20251112"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as program:  # type: ignore[call-overload]
        for number in range(70):
            line = {"type": "RECORD", "stream": "a", "record": {"id": number, "text": "x" * 1_000_000}}
            program.stdin.write(json.dumps(line).encode() + b"\n")
        program.stdin.write(b'{"type":"STATE","value":{"at":70}}\n' + json.dumps(record(70)).encode() + b"\n")
        program.stdin.flush()
        assert program.stdout.readline() == b'{"at":70}\n'
        program.send_signal(signal.SIGKILL)
    lines = (tmp_path / "raw" / "a-20251112.jsonl").read_bytes().splitlines()
    assert [json.loads(line)["id"] for line in lines] == list(range(70))
    assert run(tmp_path, record(70)).returncode == 0
    lines = (tmp_path / "raw" / "a-20251112.jsonl").read_bytes().splitlines()
    assert [json.loads(line)["id"] for line in lines] == list(range(71))


def test_a_schema_with_a_remote_reference_is_not_applied(tmp_path: Path) -> None:
    remote = {"type": "SCHEMA", "stream": "a", "schema": {"$ref": "http://127.0.0.1:9/canary"}}
    result = run(tmp_path, remote, record(1))
    assert result.returncode == 0
    assert b"1 unchecked" in result.stderr
    assert b"canary" not in result.stderr
