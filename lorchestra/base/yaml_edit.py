"""Adds entries to a YAML document as text, so that comments and layout stay as they are."""

from __future__ import annotations

from collections.abc import Sequence

from lorchestra.base import yaml_document
from lorchestra.base.errors import Code, Failure
from lorchestra.base.yaml_document import Path


def insert(content: bytes, path: Path, entry: Sequence[str], name: str) -> bytes:
    """Insert the lines of an entry as the first one of a mapping or list in block style.

    `path` leads to the mapping or list, `entry` has no indentation yet, `name` is the document's name in messages.
    Raises ConfigFailure if the document is not YAML, Failure(CONFIG) with the lines to add by hand if the mapping or
    list is missing, empty or in flow style (`{...}` or `[...]`).
    """
    document = yaml_document.load(content, name)
    parent, first = document.places.get(path), _first(document, path)
    if parent is None or first is None or first.line <= parent.line:
        shown = "\n".join(f"  {line}" for line in entry)
        message = f"{name}: `{'.'.join(map(str, path))}` is not a block of lines"
        raise Failure(Code.CONFIG, message, advice=f"Add these lines there:\n{shown}")
    lines = content.decode("utf-8").splitlines(keepends=True)
    before = lines[first.line - 1][: first.column - 1]  # the indentation, and the dash of a list's item
    indent = before.partition("-")[0]
    lines[parent.line : parent.line] = [f"{indent}{line}\n" for line in entry]
    return "".join(lines).encode()


def _first(document: yaml_document.Document, path: Path) -> yaml_document.Place | None:
    """Where the first entry of a mapping or list begins."""
    places = [place for inner, place in document.places.items() if len(inner) == len(path) + 1 and inner[:-1] == path]
    return min(places, default=None)
