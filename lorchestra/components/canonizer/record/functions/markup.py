"""The visible text of HTML, by selectolax: lexbor's HTML5 parser, which parses like browsers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

LONGEST = 2 * 1024 * 1024
"""Characters; the rest is ignored."""
MOST_STEPS = 50_000_000
"""Sum over all tags of the number of open elements, because the parser searches all of them; the rest is ignored."""

_HIDDEN = frozenset({"head", "script", "style", "template", "title"})
_BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "body", "br", "center", "dd", "div", "dl", "dt", "fieldset",
    "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "html", "li", "main",
    "nav", "ol", "p", "pre", "section", "table", "tbody", "tfoot", "thead", "tr", "ul",
})  # fmt: skip
_END_OF_BLOCK, _END_OF_PRE = "block", "pre"
# Placeholders for white space to keep, while the rest is collapsed.
_PRESERVED = {ord("\n"): "\0", ord(" "): "\1", ord("\t"): "\2"}
_RESTORED = {0: "\n", 1: " ", 2: "\t"}
_PLACEHOLDERS = re.compile("[\0-\2]")  # found much faster than translated, and they are rare
_CELLS = frozenset({"td", "th"})
_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]*)")
_NEVER_DEEP = frozenset({
    "area", "base", "br", "col", "dd", "dt", "hr", "img", "input", "li", "link", "meta", "option", "p", "source", "td",
    "th", "tr", "wbr",
})  # fmt: skip
"""Elements without an end tag, or that end where the next one of their kind begins."""


def html_text(html: Any = None, *_: Any) -> list[str]:
    """The visible text of HTML, also malformed: one block per line; [] if the input is not text.

    White space is collapsed as browsers do it; lines and indentation inside `<pre>` are kept.
    """
    if not isinstance(html, str):
        return []
    lines = (" ".join(line.split()) for line in "".join(_pieces(parsed(html))).split("\n"))
    text = "\n".join(filter(None, lines))
    return [text.translate(_RESTORED) if _PLACEHOLDERS.search(text) else text]


def parsed(html: str) -> LexborHTMLParser:
    """The document, with each implied tag, up to where its length or nesting would cost too much."""
    from selectolax.lexbor import LexborHTMLParser

    html = _shallow(html[:LONGEST]).replace("\r\n", "\n").replace("\r", "\n")
    return LexborHTMLParser(_PLACEHOLDERS.sub("", html))


def _pieces(document: LexborHTMLParser) -> Iterator[str]:
    waiting: list[LexborNode | str | None] = [document.root]  # a str marks the end of an element
    preformatted = 0
    while waiting:
        node = waiting.pop()
        if node is None or isinstance(node, str):
            preformatted -= node == _END_OF_PRE
            yield "\n"
            continue
        tag = node.tag
        if sibling := node.next:
            waiting.append(sibling)
        if tag == "-text":
            text = node.text_content or ""
            yield text.translate(_PRESERVED) if preformatted else text.replace("\n", " ")
        elif tag not in _HIDDEN:
            if tag in _BLOCKS:
                yield "\n"
                preformatted += tag == "pre"
                waiting.append(_END_OF_PRE if tag == "pre" else _END_OF_BLOCK)
            elif tag in _CELLS:
                yield " "
            if inner := node.child:
                waiting.append(inner)


def _shallow(html: str) -> str:
    """HTML cut where its nesting would cost too much time."""
    if html.count("<") ** 2 <= MOST_STEPS:
        return html
    depth = steps = 0
    unclosed: Counter[str] = Counter()
    for tag in _TAG.finditer(html):
        ends, name = tag[1], tag[2].lower()
        if name not in _NEVER_DEEP and (not ends or unclosed[name]):
            change = -1 if ends else 1
            unclosed[name] += change
            depth += change
        steps += depth
        if steps > MOST_STEPS:
            return html[: tag.start()]
    return html
