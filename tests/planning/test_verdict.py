"""A canonical file is what its receipt says, or there is a reason to make it again: each reason once."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lorchestra.planning import verdict
from lorchestra.planning.verdict import CanonicalFiles, Recipe
from lorchestra.records import lineage
from lorchestra.storage import listing

A, B = "gmail-a-20251112.jsonl", "gmail-b-20251112.jsonl"
TRANSFORM = "email/gmail_to_canonical_v1"
RECIPE = {TRANSFORM: "fingerprint", "settings": "[true]", "canonizer": "can 1"}


def told(content: bytes) -> dict[str, Any]:
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


class Made:
    """A canonical file of two raw files, with rejects and a receipt written by hand after docs/contracts.md."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.target, self.rejects = (
            root / "canonical" / "email-20251112.jsonl",
            root / "rejects" / "email-20251112.jsonl",
        )
        self.lineage = root / "lineage" / "email-20251112.json"
        for name in ("raw", "canonical", "rejects", "lineage"):
            (root / name).mkdir()
        self.raw(A).write_bytes(b'{"a":1}\n')
        self.raw(B).write_bytes(b'{"b":1}\n{"b":2}\n')
        self.target.write_bytes(b'{"email":1}\n')
        self.rejects.write_bytes(b'{"reject":1}\n')
        self.recipe = Recipe("email-20251112", ((A, TRANSFORM), (B, TRANSFORM)), RECIPE)
        self.receipt: dict[str, Any] = {
            "format": lineage.FORMAT,
            "output": {"name": self.target.name, **told(self.target.read_bytes())},
            "rejects": {"name": f"rejects/{self.rejects.name}", **told(self.rejects.read_bytes())},
            "inputs": [
                {"name": name, **told(self.raw(name).read_bytes()), "transform": {"id": TRANSFORM}} for name in (A, B)
            ],
            "recipe": dict(RECIPE),
        }
        self.write()

    def raw(self, name: str) -> Path:
        return self.root / "raw" / name

    def write(self) -> None:
        self.lineage.write_text(json.dumps(self.receipt))

    def canonical_files(self) -> CanonicalFiles:
        return CanonicalFiles(*(listing.read(self.root / name) for name in ("raw", "canonical", "rejects", "lineage")))

    def reasons(self, remembered: str | None = None, **recipe: Any) -> tuple[str, ...]:
        return verdict.judge(self.recipe._replace(**recipe), self.canonical_files(), remembered).reasons


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path)


def rewrite(path: Path, content: bytes) -> None:
    """Edit a file as rsync -t would: content new, mtime as it was."""
    status = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def remove(*paths: Path) -> None:
    for path in paths:
        path.unlink()


def turn_into_link(path: Path) -> None:
    """Leave the same content there, but elsewhere."""
    path.symlink_to(path.rename(path.with_name("moved")))


def test_what_nobody_touched_is_up_to_date(made: Made) -> None:
    assert made.reasons() == ()


Edit = Callable[[Made], object]
EDITS: dict[str, tuple[Edit, tuple[str, ...]]] = {
    "no receipt": (lambda m: m.lineage.unlink(), ("its lineage is missing",)),
    "nothing at all": (lambda m: remove(m.lineage, m.target), ("target does not exist",)),
    "empty receipt": (lambda m: m.lineage.write_bytes(b""), ("its lineage is missing",)),
    "torn receipt": (lambda m: m.lineage.write_bytes(m.lineage.read_bytes()[:-9]), ("its lineage is missing",)),
    "deep receipt": (lambda m: m.lineage.write_bytes(b"[" * 100_000), ("its lineage is missing",)),
    "foreign receipt": (lambda m: m.lineage.write_text('{"format": "other/1"}'), ("its lineage is missing",)),
    "target cut": (lambda m: m.target.write_bytes(b""), ("target edited",)),
    "target edited, mtime kept": (lambda m: rewrite(m.target, b'{"EMAIL":1}\n'), ("target edited",)),
    "target gone": (lambda m: m.target.unlink(), ("target deleted",)),
    "target now a link": (lambda m: turn_into_link(m.target), ("target deleted",)),
    "rejects edited": (lambda m: rewrite(m.rejects, b'{"REJECT":1}\n'), ("rejects file edited",)),
    "rejects gone": (lambda m: m.rejects.unlink(), ("rejects file deleted",)),
    "input grew": (lambda m: m.raw(A).write_bytes(b'{"a":1}\n{"a":2}\n'), (f"input grew: {A} (8 to 16 bytes)",)),
    "input shrank": (lambda m: m.raw(B).write_bytes(b'{"b":1}\n'), (f"input shrank: {B} (16 to 8 bytes)",)),
    "input edited, mtime kept": (lambda m: rewrite(m.raw(A), b'{"a":9}\n'), (f"input changed: {A}",)),
    "input gone": (lambda m: m.raw(A).unlink(), (f"input vanished: {A}",)),
    "several": (lambda m: remove(m.raw(A), m.target), ("target deleted", f"input vanished: {A}")),
}  # fmt: skip


@pytest.mark.parametrize("edit", EDITS)
def test_the_change_is_the_reason(made: Made, edit: str) -> None:
    remembered = verdict.signature(made.recipe, made.canonical_files())
    change, reasons = EDITS[edit]
    change(made)
    assert made.reasons() == reasons
    assert made.reasons(remembered) == reasons, "a remembered signature hides no change"


def test_rejects_that_appear_are_a_reason(made: Made) -> None:
    made.receipt["rejects"] = None
    made.write()
    assert made.reasons() == ("rejects file appeared from elsewhere",)
    made.rejects.unlink()
    assert made.reasons() == ()


def test_other_inputs_are_a_reason(made: Made) -> None:
    made.raw("gmail-c-20251112.jsonl").touch()
    more = (*made.recipe.inputs, ("gmail-c-20251112.jsonl", TRANSFORM))
    assert made.reasons(inputs=more) == ("new input gmail-c-20251112.jsonl",)
    assert made.reasons(inputs=made.recipe.inputs[:1]) == (f"input vanished: {B}",)
    assert made.reasons(inputs=((A, TRANSFORM), (B, "email/other"))) == (
        f"other transform for {B} ({TRANSFORM} to email/other)",
    )


@pytest.mark.parametrize(
    ("recipe", "reasons"),
    [
        ({**RECIPE, TRANSFORM: "edited"}, (f"{TRANSFORM} changed",)),
        (
            {**RECIPE, "canonizer": "can 2", "settings": "[false]"},
            ("canonizer changed (can 1 to can 2)", "settings changed"),
        ),
        ({**RECIPE, "engine": "x"}, ("engine is new",)),
        ({name: text for name, text in RECIPE.items() if name != "settings"}, ("settings is no longer used",)),
    ],
)
def test_another_recipe_is_a_reason(made: Made, recipe: dict[str, str], reasons: tuple[str, ...]) -> None:
    remembered = verdict.signature(made.recipe, made.canonical_files())
    assert made.reasons(remembered, recipe=recipe) == reasons


def test_a_receipt_without_a_recipe_shows_what_it_lacks(made: Made) -> None:
    del made.receipt["recipe"]
    made.write()
    assert made.reasons() == ("canonizer is new", f"{TRANSFORM} is new", "settings is new")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("output",), "x"), (("output",), {}), (("output", "bytes"), "many"), (("rejects",), 7), (("inputs",), None),
        (("inputs",), "x"), (("inputs",), [1]), (("inputs",), [{}]), (("inputs", 0, "name"), ["a"]), (("recipe",), [1]),
        (("inputs", 0, "bytes"), None), (("inputs", 0, "transform"), None), (("inputs", 0, "sha256"), None),
        (("recipe",), "x"), (("output", "sha256"), 5),
    ],
)  # fmt: skip
def test_a_damaged_receipt_means_make_it_again_and_never_a_traceback(
    made: Made, path: tuple[Any, ...], value: Any
) -> None:
    holder: Any = made.receipt
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    made.write()
    assert made.reasons()


def test_while_nothing_moves_no_file_is_read(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    judged = verdict.judge(made.recipe, made.canonical_files())
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("a file was opened"))
    monkeypatch.setattr(Path, "read_bytes", lambda *_: pytest.fail("a file was read"))
    assert verdict.judge(made.recipe, made.canonical_files(), judged.signature) == ((), judged.signature)


def test_touching_a_file_moves_the_signature_and_is_no_reason(made: Made) -> None:
    remembered = verdict.signature(made.recipe, made.canonical_files())
    os.utime(made.raw(A))
    judged = verdict.judge(made.recipe, made.canonical_files(), remembered)
    assert judged.reasons == ()
    assert judged.signature != remembered


def test_a_file_that_cannot_be_read_was_changed(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    canonical_files = made.canonical_files()
    made.raw(A).unlink()
    assert verdict.judge(made.recipe, canonical_files).reasons == (f"input changed: {A}",)


def test_a_damaged_lineage_counts_as_missing(made: Made, tmp_path: Path) -> None:
    assert lineage.read(made.lineage) == made.receipt
    assert lineage.read(tmp_path / "nowhere") is None
    (tmp_path / "list").write_text("[]")
    assert lineage.read(tmp_path / "list") is None


@pytest.mark.parametrize(
    ("made", "rebuilt"),
    [
        ({"name": "can", "version": "1", "engine": "jsonatapy", "engine_version": "2.2.13"}, False),
        ({"name": "can", "version": "2", "engine": "jsonatapy", "engine_version": "2.2.13"}, True),
        ({"name": "can", "version": "1", "engine": "jsonatapy", "engine_version": "2.2.12"}, True),
        ({"name": "other", "version": "2"}, False),
    ],
)
def test_the_version_that_made_a_file_counts_not_the_one_that_was_planned(
    tmp_path: Path, made: dict[str, str], rebuilt: bool
) -> None:
    file = Made(tmp_path)
    file.receipt["recipe"] = RECIPE | {"canonizer": "can 1 (jsonatapy 2.2.13)"}
    file.receipt["canonizer"] = made
    file.write()
    file.recipe = file.recipe._replace(recipe=file.receipt["recipe"])
    assert file.reasons() == (("made by another version of the canonizer",) if rebuilt else ())
