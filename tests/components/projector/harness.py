"""A store on a workbench: tiny schemas, canonical files, and the real program over real pipes."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lorchestra.components.projector import cli

ROOT = Path(__file__).parents[3]
PROGRAM = Path(sys.executable).with_name("vector-projector")
EMAIL = "iglu:org.example/email/jsonschema/1-0-0"
CONTACT = "iglu:org.example/contact/jsonschema/1-0-0"
NOTE = "iglu:org.x/note/jsonschema/1-0-0"

SCHEMAS: Mapping[str, dict[str, Any]] = {
    EMAIL: {
        "type": "object",
        "required": ["message_id", "schema"],
        "properties": {
            "message_id": {"type": "string"},
            "subject": {"type": "string"},
            "body": {"type": "string", "maxLength": 5000},
            "date": {"type": "string"},
            "from": {"type": "string"},
            "to": {"type": "array", "items": {"type": "object", "properties": {"email": {"type": "string"}}}},
            "size": {"type": "integer"},
            "labels": {"type": "array"},
            "schema": {"type": "string"},
        },
        "x-key": ["message_id"],
        "x-volatile": ["labels"],
        "x-text": ["subject", "body"],
        "x-time": "date",
        "x-title": "subject",
    },
    CONTACT: {
        "type": "object",
        "required": ["schema"],
        "properties": {"contact_id": {"type": "string"}, "name": {"type": "string"}, "schema": {"type": "string"}},
        "x-key": ["contact_id"],
        "x-text": ["name"],
        "x-title": "name",
    },
}


def email(number: int, **fields: Any) -> dict[str, Any]:
    """A canonical e-mail; the same number gives the same record."""
    return {
        "message_id": f"<{number}@example.org>",
        "subject": f"Appointment {number}",
        "body": f"Please confirm the appointment number{number} on Tuesday.",
        "date": f"2025-11-{number % 27 + 1:02d}T10:{number % 60:02d}:00Z",
        "from": f"person{number % 3}@example.org",
        "schema": EMAIL,
        **fields,
    }


def contact(number: int, name: str = "Ada Sample") -> dict[str, Any]:
    """A canonical contact; it has no date."""
    return {"contact_id": f"c{number}", "name": name, "schema": CONTACT}


def note_schema(rules: Mapping[str, Any], *more: str) -> dict[str, Any]:
    """A schema of notes with these rules; `more` are further properties."""
    properties = {name: {"type": "string"} for name in ("id", "a", "b", "schema", *more)}
    return {"type": "object", "properties": properties, "x-key": ["id"], **rules}


def note(number: int, **fields: str) -> dict[str, Any]:
    """A canonical note."""
    return {"id": str(number), "a": f"alpha{number}", "b": "2025-01-02", "schema": NOTE, **fields}


class Ended(subprocess.CompletedProcess[str]):
    """How a run ended."""

    def json(self) -> Any:
        """Its stdout as JSON."""
        return json.loads(self.stdout)

    def rows(self) -> list[Any]:
        """Its stdout as JSON Lines."""
        return [json.loads(line) for line in self.stdout.splitlines()]


class Bench:
    """Directories for canonical files, schemas and a store."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.input, self.schemas, self.store = root / "canonical", root / "schemas", root / "store"
        self.input.mkdir(mode=0o700, parents=True, exist_ok=True)
        for uri, document in SCHEMAS.items():
            self.schema(uri, document)

    def schema(self, uri: str, document: Any) -> None:
        """Put a schema into the registry."""
        path = self.schemas / uri.removeprefix("iglu:")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document))

    def canonical(self, name: str, records: Iterable[Mapping[str, Any] | str]) -> Path:
        """Write a canonical file whole; a text is a line as it is."""
        path = self.input / name
        path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in records))
        return path

    def run(self, verb: str, *arguments: object, stdin: str | None = None, **environment: str) -> Ended:
        """Run a verb on the store."""
        command = [str(PROGRAM), verb, "--store", str(self.store), *map(str, arguments)]
        env = {**os.environ, **environment}
        ended = subprocess.run(command, capture_output=True, text=True, input=stdin, env=env, check=False, timeout=120)
        return Ended(ended.args, ended.returncode, ended.stdout, ended.stderr)

    def ok(self, verb: str, *arguments: object, stdin: str | None = None) -> Ended:
        """Run a verb that must succeed."""
        ended = self.run(verb, *arguments, stdin=stdin)
        assert ended.returncode == 0, ended.stderr
        return ended

    def try_pull(self, *arguments: object) -> tuple[Ended, dict[str, Any]]:
        """Pull, whatever comes of it; the report is empty where there is none."""
        report = self.root / "report.json"
        report.unlink(missing_ok=True)
        ended = self.run("pull", "--input", self.input, "--schemas", self.schemas, "--report", report, *arguments)
        return ended, json.loads(report.read_text()) if report.exists() else {}

    def pull(self, *arguments: object) -> dict[str, Any]:
        """Pull successfully; return the report."""
        ended, report = self.try_pull(*arguments)
        assert ended.returncode == 0, ended.stderr
        return report

    def verify(self) -> None:
        """Verify the store in this process, because tests do it often."""
        ended = run_here(["verify", "--store", str(self.store)])
        assert ended.returncode == 0, ended.stdout + ended.stderr

    def rows(self, sql: str) -> list[Any]:
        """The rows of a query, as dicts."""
        return self.ok("query", sql, "--format", "jsonl").rows()

    def objects(self) -> list[Path]:
        """The object files, in order."""
        return sorted((self.store / "objects").rglob("*.json"))

    def registry(self, kind: str) -> Any:
        """A registry file."""
        return json.loads((self.store / "registry" / f"{kind}.json").read_text())

    def content(self) -> dict[str, str]:
        """Every file of the store that does not change by itself, with its bytes in hexadecimal."""
        return {
            str(path.relative_to(self.store)): path.read_bytes().hex()
            for path in sorted(self.store.rglob("*"))
            if path.is_file() and not path.name.startswith("metadata.db-")
        }


class FastBench(Bench):
    """A bench that runs the program in this process, for tests that run it hundreds of times."""

    def run(self, verb: str, *arguments: object, stdin: str | None = None, **environment: str) -> Ended:
        """Run a verb on the store."""
        assert not environment
        return run_here([verb, "--store", str(self.store), *map(str, arguments)], stdin or "")


def run_here(arguments: list[str], stdin: str = "") -> Ended:
    """Run `vector-projector` in this process, with its standard streams in memory."""
    umask, handlers = os.umask(0o077), {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP)}
    before, sys.stdin = sys.stdin, io.StringIO(stdin)
    stdout, stderr = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
    try:
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            status = cli.main(arguments)
        stdout.seek(0)
        return Ended(arguments, status, stdout.read(), stderr.getvalue())
    finally:
        sys.stdin = before
        os.umask(umask)
        for number, handler in handlers.items():
            signal.signal(number, handler)
