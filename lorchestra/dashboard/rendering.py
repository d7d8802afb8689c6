"""The templates of the pages and of the report, with what they call."""

from __future__ import annotations

import time
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from lorchestra.base.errors import HANDLING, Code
from lorchestra.base.wording import local_time
from lorchestra.dashboard import charts
from lorchestra.dashboard.run_view import seconds
from lorchestra.history import anomalies

STYLE = Path(__file__).with_name("static") / "style.css"


def templates(pipeline: str) -> Environment:
    """The templates. `pipeline` is the pipeline's name; every value is escaped."""
    found = Environment(loader=PackageLoader(__package__), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    found.filters |= {"local": local, "ago": ago, "duration": anomalies.duration}
    found.globals |= {"pipeline": pipeline, "line": charts.line, "timeline": charts.timeline, "advice": advice}
    return found


def advice(code: str) -> str:
    """What to do about a failure; nothing for a code of another version."""
    try:
        return HANDLING[Code(code)].advice
    except ValueError:
        return ""


def local(timestamp: str) -> str:
    """A moment of the log in local time with its zone."""
    try:
        return local_time(timestamp)
    except ValueError:
        return ""


def ago(timestamp: str) -> str:
    """How long ago a moment of the log was."""
    return f"{anomalies.duration(max(0.0, time.time() - seconds(timestamp)))} ago"
