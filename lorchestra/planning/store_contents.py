"""What the store reports that it holds, compared with what it should hold (docs/contracts.md).

Both sides are digests of content, so that a file which is rebuilt to the same bytes triggers nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lorchestra.records import lineage, names
from lorchestra.storage.listing import Listing, identity

_MAGIC = b"SQLite format 3\0"


class Wanted(NamedTuple):
    """`digests`: by canonical type, what the store must report. `known`: what to remember for the next call."""

    digests: dict[str, str]
    known: dict[str, list[Any]]


def wanted(canonical: Listing, known: Mapping[str, Any]) -> Wanted:
    """What `held` returns for each type if the store holds the canonical files as they are now.

    `known` is what an earlier call returned: it spares reading the lineage of files that did not change.
    """
    by_type: dict[str, list[str]] = {}
    fresh: dict[str, list[Any]] = {}
    for name, status in sorted(canonical.files.items()):
        parsed = names.parse_canonical(name)
        if parsed is None:
            continue
        entry, current = known.get(name), list(identity(status))
        if isinstance(entry, list) and len(entry) == 2 and entry[0] == current:
            sha256 = str(entry[1])
        else:
            sha256 = _sha256(canonical.path, name, status)
        fresh[name] = [current, sha256]
        by_type.setdefault(parsed.stem, []).append(f"{name} {sha256}\n")
    digests = {type_: hashlib.sha256("".join(lines).encode()).hexdigest() for type_, lines in by_type.items()}
    return Wanted(digests, fresh)


def held(store: Path, type_: str) -> str | None:
    """The digest of the files whose content the store reports to hold; None if it reports nothing."""
    value = summary(store, type_).get("holds")
    return value if isinstance(value, str) else None


def has_database(store: Path) -> bool:
    """Whether the store's database is there and is one: a summary next to a lost database proves nothing."""
    try:
        with (store / "metadata.db").open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


def batches(store: Path) -> int:
    """The number of batches that streams left in a store, as its summaries report."""
    try:
        types = [path.stem for path in (store / "registry").glob("*.json")]
    except OSError:
        return 0
    counts = [summary(store, type_).get("batches") for type_ in types]
    return sum(count for count in counts if isinstance(count, int))


def summary(store: Path, type_: str) -> dict[str, Any]:
    """The store's summary of a type, `registry/{type}.json` (docs/contracts.md); empty if there is none."""
    try:
        registry = json.loads((store / "registry" / f"{type_}.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return registry if isinstance(registry, dict) else {}


def _sha256(directory: Path, name: str, status: os.stat_result) -> str:
    """The digest that the file's lineage names; of the file itself if that is not about this file."""
    written = lineage.read(directory / "lineage" / f"{name.removesuffix('.jsonl')}.json")
    output = written.get("output") if written else None
    if isinstance(output, dict) and output.get("bytes") == status.st_size and isinstance(output.get("sha256"), str):
        return str(output["sha256"])
    try:
        with (directory / name).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
