"""HTML as the text that a reader would see."""

from __future__ import annotations

import re
from typing import Any

from bs4 import BeautifulSoup

LONGEST = 4 * 1024 * 1024


def html_text(html: Any = None, *_: Any) -> list[str]:
    """The visible text of HTML, however broken; [] where there is no text."""
    if not isinstance(html, str):
        return []
    soup = BeautifulSoup(html[:LONGEST], "html.parser")
    for hidden in soup(["script", "style", "head", "title", "template"]):
        hidden.decompose()
    text = soup.get_text("\n")
    lines = (" ".join(line.split()) for line in text.splitlines())
    return [re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()]
