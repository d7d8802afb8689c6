"""HTML as Markdown, by markdownify. lexbor reads the HTML first: markdownify's own parser knows no implied tags."""

from __future__ import annotations

from typing import Any

from lorchestra.components.canonizer.record.functions.markup import html_text, parsed

_OMITTED = ("script", "style", "template", "title")


def html_markdown(html: Any = None, *_: Any) -> list[str]:
    """HTML as Markdown with `#` headings and `-` lists; [] if there is no text.

    HTML that is nested too deep for the library (some hundred levels) gives its visible text instead.
    """
    if not isinstance(html, str):
        return []
    from bs4 import BeautifulSoup
    from markdownify import ATX, MarkdownConverter

    try:
        soup = BeautifulSoup(parsed(html).html or "", "html.parser")
        for element in soup(_OMITTED):
            element.decompose()
        return [MarkdownConverter(heading_style=ATX, bullets="-").convert_soup(soup).strip()]
    except MemoryError:
        raise
    except Exception:  # RecursionError
        return html_text(html)
