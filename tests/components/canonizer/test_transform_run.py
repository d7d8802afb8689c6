"""`can transform run`, as people use it."""

from __future__ import annotations

import gzip
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.components.canonizer.harness import CAN, NOTE, RAW, Registry, can, rows

REQUIRES_ID = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}
MIXED = b'{"id":"a"}\n{"no":1}\n{"id":5}\n{"id":"b"}\n'


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "registry")


@pytest.fixture
def meta(registry: Registry) -> Path:
    registry.schema(RAW, REQUIRES_ID)
    return registry.flat('{"id": id, "schema": "iglu:org.canonical/note/jsonschema/1-0-0"}')


def numbered(count: int, width: int = 200) -> bytes:
    return b"".join(b'{"id":"%d","pad":"%s"}\n' % (n, b"x" * width) for n in range(count))


def test_stdin_to_stdout_as_in_a_shell(meta: Path) -> None:
    done = can("transform", "run", "--meta", meta, stdin=b'{"id":"a"}\n{"id":"b"}')
    assert [row["id"] for row in rows(done.stdout)] == ["a", "b"]
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_compressed_input_is_read_and_a_truncated_one_refused(meta: Path, tmp_path: Path) -> None:
    path, output = tmp_path / "raw.jsonl.gz", tmp_path / "out.jsonl"
    path.write_bytes(gzip.compress(numbered(5000)))
    done = can("transform", "run", "--meta", meta, "--input", path, "--output", output)
    assert (done.returncode, len(output.read_bytes().splitlines())) == (0, 5000), done.stderr
    output.unlink()
    path.write_bytes(path.read_bytes()[:-100])
    done = can("transform", "run", "--meta", meta, "--input", path, "--output", output)
    assert done.returncode == 3
    assert b"raw.jsonl.gz: the compressed data ends early: the file is truncated" in done.stderr
    assert not output.exists()


def test_a_record_of_another_shape_is_rejected_with_the_reason(meta: Path, tmp_path: Path) -> None:
    rejects, report = tmp_path / "rejects.jsonl", tmp_path / "report.json"
    done = can("transform", "run", "--meta", meta, "--rejects", rejects, "--report", report, stdin=MIXED)
    assert [row["id"] for row in rows(done.stdout)] == ["a", "b"]
    assert rows(rejects.read_bytes()) == [
        {"input": "stdin", "line": 2, "stage": "schema_in", "rule": "required", "schema_path": "/required",
         "record": {"no": 1}},
        {"input": "stdin", "line": 3, "stage": "schema_in", "rule": "type", "schema_path": "/properties/id/type",
         "record": {"id": 5}},
    ]  # fmt: skip
    counts = json.loads(report.read_bytes())
    assert (counts["records_in"], counts["records_out"], counts["rejected"]) == (4, 2, 2)
    assert counts["rejected_by"] == {"schema_in:required": 1, "schema_in:type": 1}
    assert counts["transform"]["spec_sha256"]
    assert b"2 rejected" in done.stderr
    assert [stat.S_IMODE(path.stat().st_mode) for path in (rejects, report)] == [0o600, 0o600]


def test_the_output_of_a_transform_is_validated(registry: Registry, meta: Path) -> None:
    registry.schema(NOTE, {"properties": {"id": {"maxLength": 1}}})
    done = can("transform", "run", "--meta", meta, stdin=b'{"id":"a"}\n{"id":"long"}\n')
    assert [row["id"] for row in rows(done.stdout)] == ["a"]
    assert b"1 schema_out:maxLength" in done.stderr


def test_an_array_becomes_one_line_per_element_and_nothing_becomes_none(registry: Registry) -> None:
    meta = registry.flat('n = 0 ? [] : n > 0 ? [1..n].{"n": $}')
    done = can("transform", "run", "--meta", meta, stdin=b'{"n":2}\n{"n":0}\n{"n":-1}\n{"n":1}\n')
    assert rows(done.stdout) == [{"n": 1}, {"n": 2}, {"n": 1}]
    assert b"4 records in, 3 out; 2 dropped by the transform" in done.stderr


@pytest.mark.parametrize("jobs", ["1", "2", "3"])
def test_order_is_kept_with_any_number_of_processes(jobs: str, meta: Path) -> None:
    done = can("transform", "run", "--meta", meta, "--jobs", jobs, stdin=numbered(5000))
    assert [row["id"] for row in rows(done.stdout)] == [str(n) for n in range(5000)]


def test_a_file_appears_complete_and_private_or_not_at_all(meta: Path, tmp_path: Path) -> None:
    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(b'{"id":"a"}\nnot json\n')
    output.write_bytes(b"what was there\n")
    done = can("transform", "run", "--meta", meta, "--input", source, "--output", output)
    assert done.returncode == 3
    assert b"in.jsonl: line 2 is not JSON" in done.stderr
    assert output.read_bytes() == b"what was there\n"
    source.write_bytes(b'{"id":"a"}\n')
    assert can("transform", "run", "--meta", meta, "--input", source, "--output", output).returncode == 0
    assert rows(output.read_bytes())[0]["id"] == "a"
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl", "registry"]


def test_more_rejects_than_allowed_end_with_7_and_can_be_looked_at(meta: Path, tmp_path: Path) -> None:
    output, rejects = tmp_path / "out.jsonl", tmp_path / "rejects.jsonl"
    arguments = ("transform", "run", "--meta", meta, "--output", output, "--rejects", rejects)
    assert can(*arguments, "--max-rejects", "2", stdin=MIXED).returncode == 0
    output.unlink()
    done = can(*arguments, "--max-rejects", "1", stdin=MIXED)
    assert done.returncode == 7
    assert b"more than 1 records were rejected" in done.stderr
    assert not output.exists()
    assert len(rows(rejects.read_bytes())) == 2


def test_no_skip_invalid_ends_at_the_first_rejected_record(meta: Path) -> None:
    done = can("transform", "run", "--meta", meta, "--no-skip-invalid", stdin=MIXED)
    assert done.returncode == 7
    assert b"line 2 was rejected by schema_in:required at /required" in done.stderr


def test_a_file_may_have_any_name(meta: Path, tmp_path: Path) -> None:
    source, rejects = os.fsdecode(bytes(tmp_path) + b"/odd\n\xff name.jsonl"), tmp_path / "rejects.jsonl"
    Path(source).write_bytes(MIXED)
    done = can("transform", "run", "--meta", meta, "--input", source, "--rejects", rejects)
    assert done.returncode == 0
    assert {row["input"] for row in rows(rejects.read_bytes())} == {"odd\n\ufffd name.jsonl"}


def test_limit_selects_the_first_records(meta: Path) -> None:
    done = can("transform", "run", "--meta", meta, "--limit", "3", stdin=b"\n" + numbered(10))
    assert [row["id"] for row in rows(done.stdout)] == ["0", "1", "2"]


def test_sample_draws_the_same_records_from_all_over_the_input(meta: Path) -> None:
    drawn = [can("transform", "run", "--meta", meta, "--sample", "20", stdin=numbered(2000)) for _ in range(2)]
    first, second = ([int(row["id"]) for row in rows(done.stdout)] for done in drawn)
    assert first == second == sorted(first)
    assert len(set(first)) == 20
    assert first[-1] > 1000


def test_a_pretty_printed_document_is_one_record(meta: Path) -> None:
    document = json.dumps({"id": "a", "more": [1, {"x": "y"}]}, indent=4).encode()
    done = can("transform", "run", "--meta", meta, "--document", stdin=document)
    assert [row["id"] for row in rows(done.stdout)] == ["a"]
    torn = can("transform", "run", "--meta", meta, "--document", stdin=b'{"id": "a\nb"}')
    assert torn.returncode == 3


def test_records_come_out_while_the_input_is_still_open(meta: Path) -> None:
    with subprocess.Popen(
        [CAN, "transform", "run", "--meta", meta], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdin and child.stdout
        child.stdin.write(b'{"id":"a"}\n')
        child.stdin.flush()
        assert json.loads(child.stdout.readline())["id"] == "a"
        child.stdin.close()
        assert child.wait(10) == 0


def test_a_reader_that_has_seen_enough_ends_the_run_quietly(meta: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_bytes(numbered(20_000))
    with subprocess.Popen(
        [CAN, "transform", "run", "--meta", meta, "--input", source], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout and child.stderr
        child.stdout.readline()
        child.stdout.close()
        assert child.stderr.read() == b""
        assert child.wait(10) == 0


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_end_it_with_130_and_leave_nothing(ending: int, meta: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    with subprocess.Popen(
        [CAN, "transform", "run", "--meta", meta, "--jobs", "2", "--output", output],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as child:
        assert child.stdin and child.stderr
        child.stdin.write(numbered(3000))
        child.stdin.flush()
        time.sleep(0.5)
        os.killpg(child.pid, ending)
        assert b"interrupted" in child.stderr.read()
        assert child.wait(10) == 130
    assert list(tmp_path.iterdir()) == [tmp_path / "registry"]


def test_a_killed_parent_leaves_no_worker_behind(meta: Path) -> None:
    with subprocess.Popen(
        [CAN, "transform", "run", "--meta", meta, "--jobs", "2"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdin and child.stdout
        child.stdin.write(numbered(100))
        child.stdin.flush()
        child.stdout.readline()
        workers = Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()
        assert workers
        child.kill()
    deadline = time.monotonic() + 10
    while any(_alive(worker) for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(_alive(worker) for worker in workers)


def _alive(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def test_a_full_disk_ends_with_6(meta: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [CAN, "transform", "run", "--meta", meta],
            input=numbered(10),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 6
    assert b"no space left" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        ((), 2, "name the transform with an ID or with --meta"),
        (("--meta", "nowhere.meta.yaml"), 4, "nowhere.meta.yaml: no such file"),
        (("note/unknown_v1",), 4, "note/unknown_v1 is not in"),
        (("../../etc/passwd",), 2, "a transform's name looks like"),
        (("note/raw_to_note_v1", "--input", "nowhere.jsonl"), 2, "nowhere.jsonl: no such file"),
        (("note/raw_to_note_v1", "--input", "/"), 2, "/: is a directory"),
        (("note/raw_to_note_v1", "--engine", "perl"), 2, "unknown engine"),
        (("note/raw_to_note_v1", "--jobs", "0"), 2, "argument --jobs: must be a whole number from 1"),
        (("--meta", b"\xff.meta.yaml"), 2, "is not UTF-8"),
        (("note/raw_to_note_v1", "--output", "x", "--rejects", "x"), 2, "different files"),
        (("note/raw_to_note_v1", "--max-rejects", "-1"), 2, "must be a whole number from 0"),
        (("note/raw_to_note_v1", "--schemas", "nowhere"), 4, "is not in nowhere"),
        (("note/raw_to_note_v1", "--unknown"), 2, "--unknown"),
        (("note/raw_to_note_v1", "--output", "/dev/stdout"), 2, "/dev/stdout: not a regular file"),
        (("note/raw_to_note_v1", "--report", "registry"), 2, "registry: not a regular file"),
    ],
)
def test_usage_errors_are_reported_in_a_sentence(
    arguments: tuple[str | bytes, ...], status: int, told: str, meta: Path, registry: Registry, tmp_path: Path
) -> None:
    done = subprocess.run(
        [CAN, "transform", "run", "--registry", registry.root, *arguments],
        input=b"",
        capture_output=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == status
    assert told in done.stderr.decode()
    assert b"Traceback" not in done.stderr
    assert not (tmp_path / "x").exists()


def test_a_run_does_not_start_if_the_report_cannot_be_written(meta: Path, tmp_path: Path) -> None:
    output = tmp_path / "output.jsonl"
    report = "/proc/none.json"
    done = can("transform", "run", "--meta", meta, "--output", output, "--report", report, stdin=b'{"id":"a"}\n')
    assert done.returncode == 2
    assert b"/proc/none.json: " in done.stderr
    assert not output.exists()


MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def test_memory_stays_bounded_whatever_the_size_of_the_input(meta: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_bytes(numbered(30_000, 5000))
    run: list[str | Path] = [
        CAN,
        "transform",
        "run",
        "--meta",
        meta,
        "--input",
        source,
        "--output",
        tmp_path / "out.jsonl",
    ]
    done = subprocess.run([sys.executable, "-c", MEASURE, *run], capture_output=True, check=True)
    assert int(done.stdout) < 75 * 1024  # KiB in the larger of its two processes, for 150 MB


def test_no_name_of_a_file_forges_a_line(meta: Path, tmp_path: Path) -> None:
    raw = tmp_path / "raw\ncan: all is well\x1b[31m.jsonl"
    assert b"raw\\ncan: all is well\\x1b[31m" in can("transform", "run", "--meta", meta, "--input", raw).stderr
    raw.write_bytes(b"{")
    done = can("transform", "run", "--meta", meta, "--input", raw)
    assert (done.returncode, b"raw\\ncan: all is well\\x1b[31m.jsonl: line 1" in done.stderr) == (3, True)


def test_no_file_is_written_over_the_input(registry: Registry, tmp_path: Path) -> None:
    raw = tmp_path / "raw.jsonl"
    raw.write_bytes(b'{"id":"a"}\n')
    (tmp_path / "link").symlink_to(tmp_path)
    for key in ("--output", "--rejects", "--report"):
        done = can(
            "transform", "run", "--meta", registry.flat("$"), "--input", raw, key, tmp_path / "link" / "raw.jsonl"
        )
        assert (done.returncode, b"must be different files" in done.stderr) == (2, True)
    assert raw.read_bytes() == b'{"id":"a"}\n'


def test_the_next_run_removes_temporary_files_of_a_killed_one(tmp_path: Path) -> None:
    registry, output = Registry(tmp_path), tmp_path / "out" / "email.jsonl"
    meta = registry.flat("$")
    command = [str(CAN), "transform", "run", "--meta", str(meta), "--output", str(output)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as killed:
        deadline = time.monotonic() + 60
        while not list(output.parent.glob(".email.jsonl.*")):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        subprocess.run(command, input=b"", check=True, stderr=subprocess.DEVNULL)
        assert len(list(output.parent.glob(".email.jsonl.*"))) == 1, "its writer is alive"
        killed.kill()
    subprocess.run(command, input=b"", check=True, stderr=subprocess.DEVNULL)
    assert [path.name for path in output.parent.iterdir()] == ["email.jsonl"]
