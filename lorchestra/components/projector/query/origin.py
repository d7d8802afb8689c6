"""Where an object came from: its canonical files and lines, and through their lineage the raw files and lines.

The lineage of `{type}-{date}.jsonl` is `lineage/{type}-{date}.json` next to it, in the format `lorchestra.lineage/1`.
It is used only if it belongs to the content that was pulled.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import apsw
import orjson

from lorchestra.components.projector.database import metadata_db
from lorchestra.components.projector.database.lookup import STATES, Found


class Place(NamedTuple):
    """A line that holds a revision. The raw file is None where no lineage tells it."""

    id: str
    revision: int
    state: str
    canonical_file: str
    canonical_line: int
    raw_file: str | None
    raw_line: int | None


def places(connection: apsw.Connection, found: Found, directory: Path) -> list[Place]:
    """Every canonical line that holds this revision, by file and line."""
    query = """SELECT file.name, holding.line, file.sha256 FROM holding JOIN file ON file.no = holding.file
               WHERE holding.object = ? ORDER BY file.name, holding.line"""
    described = (found.name.id.hex().upper(), found.name.revision, STATES[found.state])
    return [
        Place(*described, file, line, *_raw(directory, file, digest, line))
        for file, line, digest in metadata_db.rows(connection, query, (found.no,))
    ]


def _raw(directory: Path, file: str, digest: bytes, line: int) -> tuple[str | None, int | None]:
    try:
        lineage = orjson.loads((directory / "lineage" / file).with_suffix(".json").read_bytes())
        if lineage["output"]["sha256"] == digest.hex():
            return _find(lineage, line)
    except (OSError, ValueError, KeyError, TypeError):  # none there, or another program's
        pass
    return None, None


def _find(lineage: dict[str, Any], line: int) -> tuple[str | None, int | None]:
    for source in lineage["inputs"]:
        for canonical, raw, many in source["lines"]:
            if canonical <= line < canonical + many:
                return str(source["name"]), int(raw) + line - int(canonical)
    return None, None
