"""A registry of a test's own making, and the real `can` to run on it."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lorchestra.components.canonizer.record import engines

ENGINES = engines.installed()
"""jsonatapy has no wheel for some systems; there the default engine is tested alone."""
needs_jsonatapy = pytest.mark.skipif("jsonatapy" not in ENGINES, reason="jsonatapy has no wheel for this system")
CAN = Path(sys.executable).with_name("can")
RAW = "iglu:com.example/raw/jsonschema/1-0-0"
NOTE = "iglu:org.canonical/note/jsonschema/1-0-0"
ANYTHING: dict[str, Any] = {}
PASS_ON = "$"


def can(*arguments: str | Path, stdin: bytes = b"", timeout: float = 60) -> subprocess.CompletedProcess[bytes]:
    """Run the program over real pipes."""
    return subprocess.run([CAN, *map(str, arguments)], input=stdin, capture_output=True, timeout=timeout, check=False)


class Registry:
    """Transforms and schemas below one directory."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def schema(self, uri: str, document: Any = ANYTHING, suffix: str = "") -> Path:
        """Put a schema where its name says."""
        path = self.root / "schemas" / (uri.removeprefix("iglu:") + suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document))
        return path

    def flat(self, spec: str, name: str = "note/raw_to_note_v1", **extra: Any) -> Path:
        """A transform of the flat dialect; returns its metadata file."""
        return self._transform(name, Path(name).name, "from_schema", "to_schema", spec, extra, "jsonata_sha256")

    def versioned(self, spec: str, name: str = "note/raw_to_note", version: str = "1.0.0", **extra: Any) -> Path:
        """A transform of the versioned dialect; returns its metadata file."""
        fields = {"version": version, **extra}
        return self._transform(f"{name}/{version}/spec", "spec", "input_schema", "output_schema", spec, fields, "value")

    def _transform(
        self, place: str, stem: str, before: str, after: str, spec: str, extra: dict[str, Any], key: str
    ) -> Path:
        home = (self.root / place).parent
        home.mkdir(parents=True, exist_ok=True)
        source = home / f"{stem}.jsonata"
        source.write_bytes(spec.encode())
        digest = hashlib.sha256(source.read_bytes()).hexdigest()
        checksum = {key: digest} if key == "jsonata_sha256" else {"algorithm": "sha256", key: digest}
        fields = {"version": "1.0.0", before: RAW, after: NOTE, "checksum": checksum, **extra}
        meta = home / f"{stem}.meta.yaml"
        meta.write_text(json.dumps(fields))  # JSON is YAML
        for uri in (RAW, NOTE):
            if not (self.root / "schemas" / uri.removeprefix("iglu:")).exists():
                self.schema(uri)
        return meta


def rows(content: bytes) -> list[Any]:
    """The values of JSON Lines."""
    return [json.loads(line) for line in content.split(b"\n") if line]
