"""Paths of transforms and schemas as text."""

from __future__ import annotations

import os
from pathlib import Path

from lorchestra.base.errors import Code, Failure


def as_text(path: Path) -> str:
    """A path as messages and files hold it. Raises Failure(USAGE) if its bytes are not UTF-8."""
    try:
        return os.fsencode(path).decode()
    except UnicodeDecodeError:
        raise Failure(Code.USAGE, "the path of a transform or of the schemas is not UTF-8") from None
