"""HTML as the text that a reader would see, by the standard library's tolerant parser."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

LONGEST = 2 * 1024 * 1024
"""Characters; what follows is not read."""

_HIDDEN = frozenset({"script", "style", "title", "template"})
_BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "br",
        "center",
        "dd",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "html",
        "li",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "tbody",
        "tfoot",
        "thead",
        "tr",
        "ul",
    ]
)
_CELLS = frozenset({"td", "th"})
_TAG = re.compile(r"<[^>]*>?")
_BLANKS = re.compile(r"[^\S\n]+")
_LINE_ENDS = re.compile(r" ?\n[ \n]*")


def html_text(html: Any = None, *_: Any) -> list[str]:
    """The visible text of HTML, however broken: blocks on lines of their own; [] where there is no text."""
    if not isinstance(html, str):
        return []
    reader = _Reader()
    try:
        reader.feed(html[:LONGEST])
        reader.close()
        text = "".join(reader.parts)
    except AssertionError:  # what the parser says to a declaration that it does not know
        text = _TAG.sub(" ", html[:LONGEST])
    return [_LINE_ENDS.sub("\n", _BLANKS.sub(" ", text)).strip()]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCKS:
            self._hidden = False  # an element that was never closed hides nothing beyond the next block
            self.parts.append("\n")
        elif tag in _HIDDEN:
            self._hidden = True
        elif tag in _CELLS:
            self.parts.append(" ")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in _HIDDEN:
            self._hidden = False
        elif tag in _BLOCKS and tag != "br":
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data.replace("\n", " "))  # lines come from the tags alone
