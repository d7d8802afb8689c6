"""HTML as the text that a reader would see.

By regular expressions and not by a parser: markup in mail is broken in every way, no tree is needed, and this takes a
tenth of the time. No pattern looks further than the next `<`, a quoted value of bounded length, or an end that it then
consumes: the time is linear in the length.
"""

from __future__ import annotations

import re
from html import unescape
from typing import Any

LONGEST = 2 * 1024 * 1024
"""Characters; what follows is not read."""

# The rest of a tag. A line end is none of the source's: it stands where a block was, so that what is open ends there.
_REST = r"""(?:[^<>"'\n]++|"[^"\n]{0,2000}"|'[^'\n]{0,2000}'|["'])*+>?"""
_BLOCK = (
    "address|article|aside|blockquote|body|br|center|dd|div|dl|dt|fieldset|figcaption|figure|footer|form|h[1-6]|head|"
    "header|hr|html|li|main|nav|ol|p|pre|section|table|tbody|tfoot|thead|tr|ul"
)
_HIDDEN = re.compile(
    rf"<!--.*?(?:-->|\Z)|<(script|style|template)\b{_REST}.*?(?:</\1\s*>|\Z)|<title\b{_REST}[^<]*",
    re.DOTALL | re.IGNORECASE,
)
_BLOCKS = re.compile(rf"</?(?:{_BLOCK})\b{_REST}", re.IGNORECASE)
_CELLS = re.compile(rf"<t[dh]\b{_REST}", re.IGNORECASE)
_TAGS = re.compile(rf"<[/!?a-zA-Z]{_REST}")
_BLANKS = re.compile(r"[^\S\n]+")
_LINE_ENDS = re.compile(r" ?\n[ \n]*")


def html_text(html: Any = None, *_: Any) -> list[str]:
    """The visible text of HTML, however broken: blocks on lines of their own; [] where there is no text."""
    if not isinstance(html, str):
        return []
    text = html[:LONGEST].replace("\n", " ")  # lines come from the tags alone
    if "<" in text:
        text = _CELLS.sub(" ", _BLOCKS.sub("\n", _HIDDEN.sub("", text)))
        text = _TAGS.sub("", text)
    return [_LINE_ENDS.sub("\n", _BLANKS.sub(" ", unescape(text))).strip()]
