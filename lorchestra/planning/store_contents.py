"""What the store reports that it holds, compared with what it should hold."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from lorchestra.records import names
from lorchestra.storage.listing import Listing


def held(store: Path, type_: str) -> str | None:
    """The digest of the files whose content the store reports to hold; None where it reports nothing."""
    value = summary(store, type_).get("holds")
    return value if isinstance(value, str) else None


def wanted(canonical: Listing) -> dict[str, str]:
    """What `held` would return, by type, if the store held the canonical files as they are now (docs/contracts.md)."""
    by_type: dict[str, list[str]] = {}
    for name, status in sorted(canonical.files.items()):
        parsed = names.parse_canonical(name)
        if parsed:
            by_type.setdefault(parsed.stem, []).append(
                f"{name} {status.st_size} {status.st_mtime_ns} {status.st_ino}\n"
            )
    return {type_: hashlib.sha256("".join(lines).encode()).hexdigest() for type_, lines in by_type.items()}


def summary(store: Path, type_: str) -> dict[str, Any]:
    """The store's summary of a type, `registry/{type}.json` (docs/contracts.md); empty where there is none."""
    try:
        registry = json.loads((store / "registry" / f"{type_}.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return registry if isinstance(registry, dict) else {}
