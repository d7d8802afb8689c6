"""The loop that one writes first: a file with pathlib, a row with sqlite3, a commit, for each record.

`python -m benchmarks.naive_store STORE CANONICAL_FILE`
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import sys
from pathlib import Path

import jsonschema


def main(store: Path, source: Path, schema: Path) -> None:
    """Store every record of a file."""
    store.mkdir(mode=0o700, exist_ok=True)
    document = json.loads(schema.read_text())
    con = sqlite3.connect(store / "metadata.db")
    con.execute("CREATE TABLE object (id TEXT PRIMARY KEY, subject TEXT, date TEXT)")
    con.execute("CREATE VIRTUAL TABLE words USING fts5(id UNINDEXED, subject, body)")
    for line in source.read_text().splitlines():
        record = json.loads(line)
        jsonschema.validate(record, document)
        name = hashlib.sha256(record["message_id"].encode()).hexdigest()[:32].upper()
        path = store / "objects" / name[:2] / name[2:4] / f"email_{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record))
        path.chmod(0o600)
        con.execute("INSERT OR IGNORE INTO object VALUES (?, ?, ?)", (name, record["subject"], record["date"]))
        con.execute("INSERT INTO words VALUES (?, ?, ?)", (name, record["subject"], record["body"]))
        con.commit()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
