"""The Singer target, as a program with real pipes."""

import json
import os
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
def test_a_broken_message_ends_with_its_line_and_keeps_what_came_before_it(tmp_path: Path, line: Any) -> None:
    result = run(tmp_path, SCHEMA, record(1), {"type": "STATE", "value": {}}, line, record(2))
    assert (result.returncode, result.stdout) == (3, b"{}\n")
    assert b"line 4" in result.stderr
    assert b"canary" not in result.stderr
    assert (tmp_path / "raw" / "a-20251112.jsonl").read_bytes() == b'{"id": 1}\n'


def test_an_input_that_ends_within_a_line_keeps_what_came_before_it(tmp_path: Path) -> None:
    """The tap was killed. A complete last line needs no newline."""
    state = b'{"type":"STATE","value":{"at":1}}'
    lines = json.dumps(record(1)).encode() + b"\n" + state
    command = [*TARGET, "--output", str(tmp_path / "raw"), "--date", "20251112"]
    whole = subprocess.run(command, input=lines, capture_output=True, check=False)
    assert (whole.returncode, whole.stdout) == (0, b'{"at":1}\n'), whole.stderr
    torn = subprocess.run(command, input=lines + b'\n{"type":"RECORD","canary', capture_output=True, check=False)
    assert (torn.returncode, torn.stdout) == (3, b'{"at":1}\n')
    assert b"the input ends within line 3" in torn.stderr
    assert b"canary" not in torn.stderr
    assert (tmp_path / "raw" / "a-20251112.jsonl").read_bytes() == b'{"id": 1}\n' * 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_target_keeps_every_complete_record(tmp_path: Path, number: int) -> None:
    command = [*TARGET, "--output", str(tmp_path / "raw"), "--date", "20251112"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as program:  # type: ignore[call-overload]
        large = json.dumps(record("x" * 3_000_000)).encode() + b"\n"
        program.stdin.write(large + b'{"type":"STATE","value":{"at":1}}\n{"type":"RECORD","stream":"a","rec')
        program.stdin.flush()
        while sum(path.stat().st_size for path in (tmp_path / "raw").glob(".*")) < 2_000_000:
            pass  # until the record is read: its temporary file grows
        program.send_signal(number)
        assert program.stdout.readline() == b'{"at":1}\n'
        assert program.wait(10) == 130
    assert (tmp_path / "raw" / "a-20251112.jsonl").stat().st_size > 3_000_000


def test_a_singer_config_file_gives_the_settings_and_options_override_them(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    settings = {"output": str(tmp_path / "raw"), "date": "20251111", "streams": {"b": "b-acct1", "c": None}}
    config.write_text(json.dumps(settings | {"report": None}))
    lines = b"".join(json.dumps(record(1, stream)).encode() + b"\n" for stream in "abc")
    for options in ((), ("--date", "20251112", "--stream", "b=")):
        command = [*TARGET, "--config", str(config), *options]
        result = subprocess.run(command, input=lines, capture_output=True, check=False)
        assert result.returncode == 0, result.stderr
    names = ["a-20251111.jsonl", "a-20251112.jsonl", "b-acct1-20251111.jsonl"]
    assert sorted(path.name for path in (tmp_path / "raw").iterdir()) == names


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "not a JSON object"),
        ("{", "not a JSON object"),
        ('{"outptu": "x"}', "did you mean output?"),
        ('{"output": "s3://x/y"}', "`output` must be a local path"),
        ('{"output": "x", "date": "2025-11-12"}', "`date` must be YYYYMMDD"),
        ('{"output": "x", "streams": "a"}', "`streams` must map"),
        ("{}", "no directory to write to"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "config.json").write_text(content)
    command = [*TARGET, "--config", str(tmp_path / "config.json")]
    result = subprocess.run(command, input=b"", capture_output=True, check=False, cwd=tmp_path)
    assert result.returncode == 2
    assert message in result.stderr.decode()


def test_within_a_run_of_lorchestra_the_run_names_the_files(tmp_path: Path) -> None:
    """Names of streams are percent-encoded where they could lead out of the directory or look like raw files."""
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"output": str(tmp_path / "other"), "streams": {"a": None}}))
    report = tmp_path / "raw" / ".streams.json"
    environment = {"LORCHESTRA_OUTPUT": str(report.parent), "LORCHESTRA_REPORT": str(report)}
    streams = ["a", "../b", ".c", "d-20251112", "Public.Users"]
    lines = b"".join(json.dumps(record(1, stream)).encode() + b"\n" for stream in streams)
    command = [*TARGET, "--config", str(config)]
    result = subprocess.run(command, input=lines, capture_output=True, check=False, env=os.environ | environment)
    assert result.returncode == 0, result.stderr
    names = ["%2E.%2Fb.jsonl", "%2Ec.jsonl", ".streams.json", "Public.Users.jsonl", "a.jsonl", "d%2D20251112.jsonl"]
    assert sorted(path.name for path in report.parent.iterdir()) == names
    assert not (tmp_path / "other").exists()
    assert [entry["file"] for entry in json.loads(report.read_bytes())["streams"].values()] == [
        *("a.jsonl", "%2E.%2Fb.jsonl", "%2Ec.jsonl", "d%2D20251112.jsonl", "Public.Users.jsonl")
    ]


def test_two_streams_never_share_a_raw_file(tmp_path: Path) -> None:
    result = run(tmp_path, record(1, "b"), record(2), options=("--stream", "b=a"))
    assert result.returncode == 2
    assert b"has the raw file of another stream" in result.stderr
    assert [path.name for path in (tmp_path / "raw").iterdir()] == ["a-20251112.jsonl"]


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
