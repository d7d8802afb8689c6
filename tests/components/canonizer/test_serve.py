"""`can serve`: the contract of docs/contracts.md, over real pipes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lorchestra.components.canonizer.job import serve
from lorchestra.components.canonizer.workers.pool import Pool
from tests.components.canonizer.harness import CAN, RAW, Registry, can, needs_jsonatapy, rows

SPEC = 'id = "bomb" ? $pad("x", 10000000000) : many ? [1..many].{"n": $} : drop ? () : {"id": id}'


class Server:
    """A running `can serve`."""

    def __init__(self, stderr: Any = subprocess.PIPE) -> None:
        self.child = subprocess.Popen([CAN, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr)

    def ask(self, job: Any) -> dict[str, Any]:
        """Send a job (a value, or a line as it is); return its result."""
        assert self.child.stdin and self.child.stdout
        self.child.stdin.write(job if isinstance(job, bytes) else json.dumps(job).encode() + b"\n")
        self.child.stdin.flush()
        result: dict[str, Any] = json.loads(self.child.stdout.readline())
        return result

    def worker(self) -> int:
        """The process id of the one worker."""
        path = Path(f"/proc/{self.child.pid}/task/{self.child.pid}/children")
        return int(path.read_text().split()[0])


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    with running.child as child:
        child.terminate()


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "registry")


@pytest.fixture
def job(registry: Registry, tmp_path: Path) -> dict[str, Any]:
    registry.schema(RAW, {"properties": {"id": {"type": "string"}}})
    meta = registry.flat(SPEC, id="note/raw_to_note_v1")
    first, second = tmp_path / "raw-a-20251112.jsonl", tmp_path / "raw-b-20251112.jsonl"
    first.write_bytes(b'{"id":"a"}\n{"id":5}\n\n{"id":"b"}\n')
    second.write_bytes(b'{"many":2}\n{"drop":true}\n{"id":"c"}')
    out = tmp_path / "canonical"
    return {
        "op": "canonize",
        "id": "note-20251112",
        "inputs": [{"path": str(first), "meta": str(meta)}, {"path": str(second), "meta": str(meta)}],
        "schemas": str(registry.root / "schemas"),
        "output": str(out / "note-20251112.jsonl"),
        "rejects": str(out / "rejects" / "note-20251112.jsonl"),
        "lineage": str(out / "lineage" / "note-20251112.json"),
        "skip_invalid": True,
        "require_checksums": True,
        "max_rejects": None,
        "recipe": {"settings": "x"},
    }


def contents(job: dict[str, Any]) -> dict[str, bytes | None]:
    paths = {key: Path(job[key]) for key in ("output", "rejects", "lineage")}
    return {key: path.read_bytes() if path.exists() else None for key, path in paths.items()}


def test_a_job_writes_output_rejects_and_lineage(server: Server, job: dict[str, Any]) -> None:
    result = server.ask(job)
    assert result.pop("duration_seconds") >= 0
    assert result == {
        "id": "note-20251112", "status": "ok", "records_in": 6, "records_out": 5, "rejected": 1, "dropped": 1,
        "inexact_integers": 0, "rejected_by": {"schema_in:type": 1},
    }  # fmt: skip
    output, rejects, lineage = (Path(job[key]) for key in ("output", "rejects", "lineage"))
    assert rows(output.read_bytes()) == [{"id": "a"}, {"id": "b"}, {"n": 1}, {"n": 2}, {"id": "c"}]
    assert rows(rejects.read_bytes()) == [
        {"input": "raw-a-20251112.jsonl", "line": 2, "stage": "schema_in", "rule": "type",
         "schema_path": "/properties/id/type", "record": {"id": 5}}
    ]  # fmt: skip
    for path in (output, rejects, lineage):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert [p.name for p in path.parent.iterdir() if p.is_file()] == [path.name]
    told = json.loads(lineage.read_bytes())
    for part, path in (("output", output), ("rejects", rejects)):
        assert told[part]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert told[part]["bytes"] == path.stat().st_size
    assert (told["output"]["name"], told["output"]["records"]) == ("note-20251112.jsonl", 5)
    assert (told["rejects"]["name"], told["rejects"]["records"]) == ("rejects/note-20251112.jsonl", 1)
    assert (told["format"], told["recipe"]) == ("lorchestra.lineage/1", {"settings": "x"})
    assert told["settings"] == {"skip_invalid": True, "require_checksums": True}
    assert told["canonizer"]["engine"] == "jlens"


def test_the_lineage_leads_from_each_canonical_line_to_its_raw_line(server: Server, job: dict[str, Any]) -> None:
    server.ask(job)
    first, second = json.loads(Path(job["lineage"]).read_bytes())["inputs"]
    assert first["lines"] == [[1, 1, 1], [2, 4, 1]]
    assert second["lines"] == [[3, 1, 1], [4, 1, 1], [5, 3, 1]]
    raw = Path(job["inputs"][0]["path"]).read_bytes()
    assert (first["name"], first["bytes"]) == ("raw-a-20251112.jsonl", len(raw))
    assert first["sha256"] == hashlib.sha256(raw).hexdigest()
    assert (first["records_in"], first["records_out"], first["rejected"], first["dropped"]) == (3, 2, 1, 0)
    transform = first["transform"]
    meta = Path(job["inputs"][0]["meta"])
    assert (transform["id"], transform["version"]) == ("note/raw_to_note_v1", "1.0.0")
    assert transform["meta_sha256"] == hashlib.sha256(meta.read_bytes()).hexdigest()
    assert transform["spec_sha256"] == hashlib.sha256(SPEC.encode()).hexdigest()
    schema = Path(job["schemas"]) / transform["from_schema"].removeprefix("iglu:")
    assert transform["from_schema_sha256"] == hashlib.sha256(schema.read_bytes()).hexdigest()


def test_the_same_job_writes_the_same_bytes(server: Server, job: dict[str, Any]) -> None:
    server.ask(job)
    before = contents(job)
    server.ask(job)
    assert contents(job) == before


def test_an_old_rejects_file_is_removed_if_nothing_is_rejected(server: Server, job: dict[str, Any]) -> None:
    server.ask(job)
    Path(job["inputs"][0]["path"]).write_bytes(b'{"id":"a"}\n')
    assert server.ask(job)["rejected"] == 0
    assert not Path(job["rejects"]).exists()
    assert json.loads(Path(job["lineage"]).read_bytes())["rejects"] is None


@pytest.mark.parametrize(
    ("change", "code", "what"),
    [
        ({"max_rejects": 0}, "too_many_rejects", "more than 0 records were rejected"),
        ({"max_rejects": "1%"}, "too_many_rejects", "records were rejected; max_rejects is 1%"),
        ({"max_rejects": "101%"}, "usage", "must be a number of records, or a share such as 5%"),
        ({"max_rejects": "5%\n"}, "usage", "must be a number of records, or a share such as 5%"),
        ({"skip_invalid": False}, "too_many_rejects", "line 2 was rejected by schema_in:type at /properties/id/type"),
        ({"inputs": [{"path": "/nowhere/x.jsonl", "meta": "META"}]}, "missing", "/nowhere/x.jsonl: no such file"),
        ({"inputs": [{"path": "x", "meta": "/nowhere/x.meta.yaml"}]}, "transform_missing", "/nowhere/x.meta.yaml"),
        ({"schemas": "/nowhere"}, "schema_missing", "is not in /nowhere"),
        ({"output": "/proc/nowhere/x.jsonl"}, "missing", "/proc/nowhere/x.jsonl"),
        ({"op": "dance"}, "usage", "op"),
        ({"inputs": "all"}, "usage", "inputs"),
        ({"inputs": [5]}, "usage", "item 1 of `inputs` must be a mapping"),
        ({"output": ""}, "usage", "output"),
        ({"max_rejects": "few"}, "usage", "max_rejects"),
        ({"recipe": {"x": 5}}, "usage", "`x` must be text"),
        ({"lineage": "OUTPUT"}, "usage", "three files"),
        ({"rejects": "OUTPUT/../note-20251112.jsonl"}, "usage", "three files"),
        ({"inputs": [{"path": "OUTPUT", "meta": "META"}]}, "usage", "none of them an input"),
        ({"output": "a\0b"}, "usage", "output"),
        ({"inputs": [{"path": "/dev", "meta": "META"}]}, "missing", "/dev: is a directory"),
        ({"max_rejects": False}, "usage", "max_rejects"),
        ({"skip_invlaid": False}, "usage", "unknown key `skip_invlaid`; did you mean `skip_invalid`?"),
        ({"max_rejects": -1}, "usage", "max_rejects"),
        ({"output": "."}, "usage", "not a regular file"),
    ],
)  # fmt: skip
def test_a_job_that_fails_leaves_all_as_it_was(
    change: dict[str, Any], code: str, what: str, server: Server, job: dict[str, Any]
) -> None:
    server.ask(job)
    before = contents(job)
    broken = {
        **job,
        **json.loads(json.dumps(change).replace("META", job["inputs"][0]["meta"]).replace("OUTPUT", job["output"])),
    }
    result = server.ask(broken)
    assert (result["id"], result["status"], result["code"]) == ("note-20251112", "failed", code)
    assert what in result["what"]
    assert contents(job) == before
    assert server.ask(job)["status"] == "ok"


def test_a_line_that_is_not_json_fails_its_job_and_is_named(server: Server, job: dict[str, Any]) -> None:
    Path(job["inputs"][1]["path"]).write_bytes(b'{"id":"x"}\n{"id":\n')
    result = server.ask(job)
    assert (result["code"], result["what"]) == ("not_jsonl", "raw-b-20251112.jsonl: line 2 is not JSON")
    assert contents(job) == {"output": None, "rejects": None, "lineage": None}


@pytest.mark.parametrize("line", [b"junk\n", b"[]\n", b"5\n", b'{"op":"canonize"}\n', b'{"id":"\xff"}\n'])
def test_an_invalid_job_gets_an_error(line: bytes, server: Server) -> None:
    assert server.ask(line)["code"] == "usage"


def test_a_changed_transform_or_schema_is_seen_by_the_next_job(
    server: Server, job: dict[str, Any], registry: Registry
) -> None:
    server.ask(job)
    registry.flat('{"new": id}', id="note/raw_to_note_v1")
    server.ask(job)
    assert rows(Path(job["output"]).read_bytes())[0] == {"new": "a"}
    registry.schema(RAW, {"$ref": "iglu:com.example/part/jsonschema/1-0-0"})
    registry.schema("iglu:com.example/part/jsonschema/1-0-0", {"required": ["id"]})
    assert server.ask(job)["rejected_by"] == {"schema_in:required": 2}
    registry.schema("iglu:com.example/part/jsonschema/1-0-0", {"required": ["none"]})
    assert server.ask(job)["rejected_by"] == {"schema_in:required": 6}


def test_a_line_that_is_too_long_is_refused_and_the_next_job_runs(server: Server, job: dict[str, Any]) -> None:
    assert server.ask(json.dumps({**job, "id": "x" * 40_000_000}).encode() + b"\n")["code"] == "usage"
    assert server.ask(job)["status"] == "ok"


def test_a_tampered_transform_is_refused_unless_the_job_allows_it(server: Server, job: dict[str, Any]) -> None:
    server.ask(job)
    spec = Path(job["inputs"][0]["meta"].replace(".meta.yaml", ".jsonata"))
    spec.write_bytes(b'{"evil": id}')
    result = server.ask(job)
    assert result["code"] == "transform_tampered"
    assert hashlib.sha256(SPEC.encode()).hexdigest()[:12] in result["what"]
    assert hashlib.sha256(b'{"evil": id}').hexdigest()[:12] in result["what"]
    assert server.ask({**job, "require_checksums": False})["status"] == "ok"
    assert rows(Path(job["output"]).read_bytes())[0] == {"evil": "a"}


@needs_jsonatapy
def test_a_record_that_kills_its_worker_is_rejected(server: Server, job: dict[str, Any]) -> None:
    Path(job["inputs"][0]["path"]).write_bytes(b'{"id":"a"}\n{"id":"bomb"}\n{"id":"b"}\n')
    result = server.ask(job | {"engine": "jsonatapy"})  # its $pad has no limit
    assert (result["status"], result["rejected_by"]) == ("ok", {"transform:memory_limit": 1})
    assert rows(Path(job["output"]).read_bytes())[:2] == [{"id": "a"}, {"id": "b"}]
    assert rows(Path(job["rejects"]).read_bytes())[0]["record"] == '{"id":"bomb"}'


def test_a_worker_killed_between_jobs_is_replaced(server: Server, job: dict[str, Any]) -> None:
    server.ask(job)
    before = contents(job)
    os.kill(server.worker(), signal.SIGKILL)
    assert server.ask(job)["status"] == "ok"
    assert contents(job) == before


def test_a_terminated_server_leaves_the_files_of_the_last_job(
    server: Server, job: dict[str, Any], tmp_path: Path
) -> None:
    server.ask(job)
    before = contents(job)
    slow = tmp_path / "slow"
    os.mkfifo(slow)
    assert server.child.stdin
    server.child.stdin.write(json.dumps({**job, "inputs": [{**job["inputs"][0], "path": str(slow)}]}).encode() + b"\n")
    server.child.stdin.flush()
    with slow.open("wb", buffering=0) as file:
        file.write(b'{"id":"never"}\n')
        server.child.terminate()
        assert server.child.wait(10) == 130
    assert contents(job) == before
    assert not list(Path(job["output"]).parent.rglob("*~"))


def test_a_worker_ends_with_a_killed_server(server: Server, job: dict[str, Any], registry: Registry) -> None:
    endless = registry.flat("($f := function($x) { $f($x) }; $f(1))", name="note/endless_v1")
    work = {**job, "inputs": [{"path": job["inputs"][0]["path"], "meta": str(endless)}]}
    assert server.child.stdin
    server.child.stdin.write(json.dumps(work).encode() + b"\n")
    server.child.stdin.flush()
    worker = Path("/proc", str(until(server.worker)))
    until(lambda: int((worker / "stat").read_text().split()[13]) > 20)  # it is in the midst of a record
    server.child.kill()
    server.child.wait()
    until(lambda: not worker.exists() or (worker / "stat").read_text().split()[2] == "Z")


def until(call: Callable[[], Any], seconds: float = 4) -> Any:
    """What a call returns once that is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(IndexError, FileNotFoundError):
            if answer := call():
                return answer
        time.sleep(0.01)
    raise TimeoutError


def test_the_end_of_the_input_ends_it_well(job: dict[str, Any]) -> None:
    done = can("serve", stdin=json.dumps(job).encode() + b"\n\n")
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(rows(done.stdout)) == 1


def test_two_engines_give_the_same_bytes(server: Server, job: dict[str, Any]) -> None:
    server.ask(job)
    before = contents(job)
    server.ask({**job, "engine": "jlens"})
    assert contents(job)["output"] == before["output"]


@pytest.mark.parametrize(
    ("require", "named"),
    [
        ({"canonizer": "can 0.0.1 (jsonatapy 1.0.0)"}, "canonizer is can "),
        ({"transforms": {"META": {"spec_sha256": "0" * 64}}}, "spec_sha256 of "),
        ({"transforms": {"META": {"meta_sha256": "0" * 64}}}, "meta_sha256 of "),
    ],
)
def test_a_job_that_was_planned_for_something_else_is_refused(
    server: Server, job: dict[str, Any], require: dict[str, Any], named: str
) -> None:
    meta = job["inputs"][0]["meta"]
    job["require"] = json.loads(json.dumps(require).replace("META", meta))
    result = server.ask(job)
    assert (result["status"], result["code"]) == ("failed", "version_mismatch")
    assert result["what"].startswith(named)
    assert not Path(job["output"]).exists()


def test_a_job_that_requires_what_there_is_runs(server: Server, job: dict[str, Any]) -> None:
    version = subprocess.run([CAN, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    spec = hashlib.sha256(Path(job["inputs"][0]["meta"].replace(".meta.yaml", ".jsonata")).read_bytes()).hexdigest()
    job["require"] = {"canonizer": version, "transforms": {job["inputs"][0]["meta"]: {"spec_sha256": spec}}}
    assert server.ask(job)["status"] == "ok"


def test_progress_is_sent_before_the_result_if_the_job_asks_for_it(
    job: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "_PROGRESS_SECONDS", 0)
    sent: list[dict[str, Any]] = []
    with contextlib.closing(Pool()) as pool:
        result = serve.answer(json.dumps(job | {"progress": True}).encode(), pool, sent.append)
        assert result["status"] == "ok"
        assert sent[-1] == {
            "id": job["id"],
            "progress": {"records_in": result["records_in"], "rejected": result["rejected"]},
        }
        sent.clear()
        serve.answer(json.dumps(job).encode(), pool, sent.append)
    assert sent == []
