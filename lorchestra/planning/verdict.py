"""Whether a canonical file is what it would be if it were built now.

The lineage file, which the canonizer writes last, decides: it holds digests of what was read and of what was written.
A signature of file identities (size, mtime, ctime, inode) saves hashing while no file has changed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lorchestra.base.errors import visible
from lorchestra.records import lineage, targets
from lorchestra.storage.listing import Identity, Listing, identity

_SETTINGS = ("skip_invalid", "require_checksums", "max_rejects")
"""In the order in which the recipe holds them."""
_PARTS = {"spec": "spec_sha256", "metadata": "meta_sha256"}


class CanonicalFiles(NamedTuple):
    """The files that canonize reads and writes, in their present state."""

    raw: Listing
    canonical: Listing
    rejects: Listing
    lineage: Listing


class Recipe(NamedTuple):
    """How a canonical file is built: pairs of raw name and transform id in order, and the recipe, text by name."""

    name: str
    inputs: tuple[tuple[str, str], ...]
    recipe: Mapping[str, str]
    transforms: Mapping[str, Mapping[str, str]] = {}
    """By id: `version`, `meta_sha256` and `spec_sha256`, to say what changed. The recipe decides whether it did."""


class Verdict(NamedTuple):
    """Why a file must be rebuilt (empty if it need not be), and the signature of what was judged."""

    reasons: tuple[str, ...]
    signature: str


def signature(recipe: Recipe, files: CanonicalFiles) -> str:
    """A digest that changes when the recipe, an input or a written file may have changed."""
    identities: list[Identity | None] = [_identity(files.raw, name) for name, _ in recipe.inputs]
    identities += [_identity(listing, name) for listing, name in _written(recipe.name, files)]
    described = repr((recipe.inputs, sorted(recipe.recipe.items()), identities))
    return hashlib.blake2b(described.encode(), digest_size=16).hexdigest()


def judge(recipe: Recipe, files: CanonicalFiles, remembered: str | None = None) -> Verdict:
    """Compare a file with its lineage. `remembered` is the signature with which it was up to date before."""
    current = signature(recipe, files)
    if remembered == current:
        return Verdict((), current)
    return Verdict(tuple(_reasons(recipe, files)), current)


def _written(name: str, files: CanonicalFiles) -> tuple[tuple[Listing, str], ...]:
    file = targets.output_name(name)
    return ((files.canonical, file), (files.rejects, file), (files.lineage, targets.lineage_name(name)))


def _identity(listing: Listing, name: str) -> Identity | None:
    status = listing.files.get(name)
    return None if status is None else identity(status)


def _reasons(recipe: Recipe, files: CanonicalFiles) -> Iterator[str]:
    file = targets.output_name(recipe.name)
    receipt = lineage.read(files.lineage.path / targets.lineage_name(recipe.name))
    if receipt is None:
        yield "its lineage is missing" if file in files.canonical.files else "target does not exist"
        return
    try:
        yield from _changed_outputs(file, receipt, files)
        yield from _changed_recipe(recipe, receipt)
        yield from _made_by_other(receipt)
        yield from _changed_inputs(recipe, receipt["inputs"], files.raw)
    except (KeyError, TypeError, AttributeError):
        yield "its lineage cannot be read"


def _changed_outputs(file: str, receipt: dict[str, Any], files: CanonicalFiles) -> Iterator[str]:
    for what, listing, entry in (
        ("target", files.canonical, receipt["output"]),
        ("rejects file", files.rejects, receipt["rejects"]),
    ):
        status = listing.files.get(file)
        if entry is None:
            if status is not None:
                yield f"{what} appeared from elsewhere"
        elif status is None:
            yield f"{what} deleted"
        elif not _same(listing.path / file, status, entry):
            yield f"{what} edited"


def _changed_recipe(recipe: Recipe, receipt: dict[str, Any]) -> Iterator[str]:
    now, before = recipe.recipe, receipt.get("recipe") or {}
    used = {entry["transform"]["id"]: entry["transform"] for entry in receipt["inputs"]}
    for name in sorted(now.keys() | before.keys()):
        if name not in before:
            yield f"{name} is new"
        elif name not in now:
            yield f"{name} is no longer used"
        elif now[name] != before[name]:
            yield f"{name} changed{_what_changed(name, before[name], now[name], used, recipe.transforms)}"


def _what_changed(
    name: str,
    before: str,
    now: str,
    used: Mapping[str, Mapping[str, Any]],
    transforms: Mapping[str, Mapping[str, str]],
) -> str:
    """The old and the new value, in parentheses; nothing if there is nothing to read."""
    if name == "settings":
        return _changed_settings(before, now)
    if name == "canonizer":
        return f" ({visible(before) or 'unknown'} to {now or 'unknown'})"
    old, new = used.get(name, {}), transforms.get(name, {})
    if not old or not new:
        return ""
    if new["version"] and old.get("version") != new["version"]:
        return f" (version {visible(str(old.get('version')))} to {new['version']})"
    parts = [part for part, key in _PARTS.items() if old.get(key) and old[key] != new[key]]
    return f" ({' and '.join(parts) or 'schema'})"


def _changed_settings(before: str, now: str) -> str:
    try:
        pairs = [*zip(_SETTINGS, json.loads(before), json.loads(now), strict=True)]
    except (ValueError, TypeError):  # written by another version
        return ""
    changed = [f"{key}: {json.dumps(old)} to {json.dumps(new)}" for key, old, new in pairs if old != new]
    return f" ({', '.join(changed)})"


def _made_by_other(receipt: dict[str, Any]) -> Iterator[str]:
    """The recipe says what was planned; `can` itself writes what it was. Other canonizers may name no version."""
    made, planned = receipt.get("canonizer") or {}, (receipt.get("recipe") or {}).get("canonizer", "")
    if made.get("name") != "can" or not planned.startswith("can "):
        return
    used = (f"can {made.get('version')} (", f"{made.get('engine')} {made.get('engine_version')}")
    if not all(part in planned for part in used):
        yield "made by another version of the canonizer"


def _changed_inputs(recipe: Recipe, before: list[dict[str, Any]], raw: Listing) -> Iterator[str]:
    then = {entry["name"]: entry for entry in before}
    now = dict(recipe.inputs)
    for name in sorted(now.keys() | then.keys()):
        status = raw.files.get(name)
        if name not in then:
            yield f"new input {name}"
        elif name not in now or status is None:
            yield f"input vanished: {name}"
        elif then[name]["transform"]["id"] != now[name]:
            yield f"other transform for {name} ({then[name]['transform']['id']} to {now[name]})"
        elif status.st_size != then[name]["bytes"]:
            change = "grew" if status.st_size > then[name]["bytes"] else "shrank"
            yield f"input {change}: {name} ({then[name]['bytes']:,} to {status.st_size:,} bytes)"
        elif not _same(raw.path / name, status, then[name]):
            yield f"input changed: {name}"


def _same(path: Path, status: os.stat_result, entry: Mapping[str, Any]) -> bool:
    return bool(status.st_size == entry["bytes"]) and _sha256(path) == entry["sha256"]


def _sha256(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
