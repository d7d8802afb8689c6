"""`lorchestra graph`: sources, raw files, transforms, canonical files and the store, as text, Mermaid, DOT or SVG.

Files are shown as counts: a node stands for all raw files of a source, or for all canonical files of a type.
"""

from __future__ import annotations

import html
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from lorchestra.base.errors import visible
from lorchestra.base.wording import counted
from lorchestra.planning import preflight, store_contents
from lorchestra.planning.snapshot import Snapshot
from lorchestra.records import names

KINDS = ("source", "raw", "transform", "canonical", "store")
"""From left to right, as records flow."""
_COLUMN, _ROW, _BOX, _EDGE = 250, 44, 30, 2
_LETTER = 5.6
"""The usual width of a letter; longer labels are squeezed into their box."""


class Node(NamedTuple):
    """A node. `amount` says how many files or objects it stands for, with its noun; empty for a source or transform."""

    kind: str
    name: str
    amount: str = ""

    @property
    def label(self) -> str:
        """Name and amount."""
        return f"{self.name} ({self.amount})" if self.amount else self.name


class Graph(NamedTuple):
    """The nodes by kind and name, and the edges between them."""

    nodes: list[Node]
    edges: list[tuple[Node, Node]]


def graph(path: Path) -> Graph:
    """The graph of a pipeline with its present files. `path` is the configuration file. Raises Failure."""
    return of_snapshot(preflight.snapshot(path))


def of_snapshot(snapshot: Snapshot) -> Graph:
    """The graph of a pipeline as it was listed. Raises Failure."""
    raw, built = _raw(snapshot), _built(snapshot)
    delivers = _sources(snapshot)
    sources = {name: Node("source", name) for name in delivers.values()}
    transforms = {rule.transform: Node("transform", rule.transform) for rule in snapshot.rules}
    store = {name: Node("store", name, _objects(snapshot, name)) for name in built}
    edges: dict[tuple[Node, Node], None] = {
        (sources[delivers[name]], raw[name]): None for name in raw if name in delivers
    }
    for target in snapshot.plan.targets:
        for input_ in target.inputs:
            edges[raw[names.source_of(input_.name)], transforms[input_.transform]] = None
    edges |= {(transforms[rule.transform], built[rule.type]): None for rule in snapshot.rules}
    edges |= {(built[name], store[name]): None for name in built}
    nodes = [node for group in (sources, raw, transforms, built, store) for _, node in sorted(group.items())]
    return Graph(nodes, sorted(edges))


def _sources(snapshot: Snapshot) -> dict[str, str]:
    """The source by the name of its raw files: its own, and those of its declared streams."""
    from lorchestra.stages.extract import extraction

    found = {}
    for source in extraction.every(snapshot.config.extract.sources):
        declared = [name for name in (source.settings.get("streams") or {}).values() if name]
        for name in (source.name, *declared):
            found[name.replace("{source}", source.name)] = source.name
    return found


def _raw(snapshot: Snapshot) -> dict[str, Node]:
    count = Counter(source for name in snapshot.canonical_files.raw.files if (source := names.source_of(name)))
    return {source: Node("raw", source, counted(number, "file")) for source, number in count.items()}


def _built(snapshot: Snapshot) -> dict[str, Node]:
    """By type: also types that have no file yet."""
    parsed = map(names.parse_canonical, snapshot.canonical_files.canonical.files)
    count = Counter(name.stem for name in parsed if name)
    types = {*count, *(rule.type for rule in snapshot.rules)}
    return {type_: Node("canonical", type_, counted(count[type_], "file")) for type_ in types}


def _objects(snapshot: Snapshot, type_: str) -> str:
    objects = store_contents.summary(snapshot.config.index.output_dir, type_).get("objects", 0)
    return counted(objects if isinstance(objects, int) else 0, "object")


def text(found: Graph) -> str:
    """Each node with the nodes that its records go to."""
    return "".join(f"{line}\n" for kind in KINDS for line in _kind(found, kind))


def _kind(found: Graph, kind: str) -> Iterator[str]:
    for node in (node for node in found.nodes if node.kind == kind):
        after = ", ".join(visible(end.name) for begin, end in found.edges if begin == node)
        alone = kind != "store" and not after
        yield f"{kind:<10} {visible(node.label)}" + (f" -> {after}" if after else " -> nothing" if alone else "")


def mermaid(found: Graph) -> str:
    """A Mermaid flowchart, for Markdown."""
    number = {node: f"n{at}" for at, node in enumerate(found.nodes)}
    lines = [f'  {number[node]}["{html.escape(visible(node.kind + ": " + node.label))}"]' for node in found.nodes]
    lines += [f"  {number[begin]} --> {number[end]}" for begin, end in found.edges]
    return _joined(["flowchart LR", *lines])


def dot(found: Graph) -> str:
    """A Graphviz graph."""
    number = {node: f"n{at}" for at, node in enumerate(found.nodes)}
    lines = [f"  {number[node]} [label={json.dumps(visible(node.kind + ': ' + node.label))}];" for node in found.nodes]
    lines += [f"  {number[begin]} -> {number[end]};" for begin, end in found.edges]
    return _joined(["digraph lorchestra {", "  rankdir=LR; node [shape=box];", *lines, "}"])


def svg(found: Graph) -> str:
    """An SVG image: one column for each kind, without styles, scripts and references."""
    place: dict[Node, tuple[int, int]] = {}
    for column, kind in enumerate(KINDS):
        for row, node in enumerate(node for node in found.nodes if node.kind == kind):
            place[node] = (column * _COLUMN + _EDGE, (row + 1) * _ROW)
    width, height = len(KINDS) * _COLUMN, max((y for _, y in place.values()), default=0) + _ROW
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" font-size="11"'
    head += f' font-family="sans-serif" fill="currentColor"><title>{counted(len(found.edges), "connection")}</title>'
    titles = [
        f'<text x="{at * _COLUMN + _EDGE}" y="20" font-weight="bold">{kind}</text>' for at, kind in enumerate(KINDS)
    ]
    lines = [_line(place[begin], place[end]) for begin, end in found.edges]
    return _joined([head, *titles, *lines, *(_box(node, *at) for node, at in place.items()), "</svg>"])


def _line(begin: tuple[int, int], end: tuple[int, int]) -> str:
    (x1, y1), (x2, y2) = begin, end
    x1, y1, y2 = x1 + _COLUMN - 40, y1 + _BOX // 2, y2 + _BOX // 2
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="currentColor" stroke-opacity="0.5"/>'


def _box(node: Node, x: int, y: int) -> str:
    width, label = _COLUMN - 40, visible(node.label)
    fit = f' textLength="{width - 12}" lengthAdjust="spacingAndGlyphs"' if len(label) * _LETTER > width - 12 else ""
    rect = f'<rect x="{x}" y="{y}" width="{width}" height="{_BOX}" rx="4" fill="none" stroke="currentColor"/>'
    return f'{rect}<text x="{x + 6}" y="{y + 19}"{fit}>{html.escape(label)}</text>'


def _joined(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"


FORMATS: dict[str, Callable[[Graph], str]] = {"text": text, "mermaid": mermaid, "dot": dot, "svg": svg}
