"""The port for getting records from somewhere: a type of source.

A package adds a type with an entry point in the group `lorchestra.sources`: a class that implements `SourceType` and is
created without arguments. `type` of a source in pipeline.yaml names it. The class needs one file:

    class Calendar(SourceType):
        settings = {"required": ["path"], "properties": {"path": {"$ref": "#/$defs/path"}}}

        def attempt(self, task: Attempt) -> AttemptResult:
            ...write JSON Lines into task.output...
            return AttemptResult()
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from lorchestra.base import extensions
from lorchestra.planning.config import SOURCE_TYPES, Source

if TYPE_CHECKING:  # what an attempt needs is not needed to plan a run
    from lorchestra.stages.extract.sources.attempt import Attempt, AttemptResult

_BUILT_IN: Mapping[str, tuple[str, str]] = {
    "sample": ("sample", "Sample"),
    "command": ("command", "Command"),
    "files": ("files", "Files"),
    "mailbox": ("mailbox", "Mailbox"),
    "meltano": ("meltano", "Meltano"),
}


class SourceType(Protocol):
    """Gets records. Subclass it: everything except `attempt` has a default. An instance keeps no state."""

    settings: ClassVar[Mapping[str, Any]] = {}
    """JSON Schema of the type's settings: `required` and `properties`, which may refer to definitions of
    pipeline.schema.json. `{"$ref": "#/$defs/path"}` marks a path, which then arrives absolute. `key` and `streams` are
    accepted for every type. The schemas of the built-in types are in pipeline.schema.json, for editors."""
    own_name_only: ClassVar[bool] = True
    """Whether every file must be named `{source}-{date}.jsonl` or as a declared stream. If not, a file may have the
    name of any raw file, and a single file with another name is the source's only stream."""
    key: ClassVar[tuple[str, ...] | None] = None
    """The fields that identify a record if the source declares no `key`. None: a loader's report says, or none do."""
    has_windows: ClassVar[bool] = False
    """Whether an attempt obeys `source.window`, with the source's setting `window`; see planning/window.py."""
    has_full_refresh: ClassVar[bool] = False
    """Whether an attempt obeys `source.window.full_refresh`."""
    originals_stay: ClassVar[bool] = False
    """Whether the original of a refused file stays where it came from, so that no copy has to be kept."""

    def expand(self, source: Source) -> tuple[Source, ...]:
        """The sources that an entry of pipeline.yaml stands for. Expanding one of these again returns it alone.

        Checks everything that can be checked without running the source; starts no program. Raises Failure.
        """
        return (source,)

    def bookmark(self, source: Source, own: Path) -> datetime | None:
        """When the source's bookmark last moved; None if it has none. `own` is the source's private directory."""
        del source, own
        return None

    def attempt(self, task: Attempt) -> AttemptResult:
        """Get the records once, into `task.output`.

        Each line of a file there is one JSON object. Expected failures are returned, or raised as Failure or OSError.
        Nothing of a record may appear in a message. What was written is published even after a failure, so an attempt
        can stop anywhere; whether another one follows is decided by the code. Many sources run at once, in threads.
        """
        ...


def find(name: str) -> SourceType:
    """The type with this name. Raises Failure(CONFIG | COMPONENT_FAILED) if no installed package provides it."""
    if name in _BUILT_IN:
        module, class_name = _BUILT_IN[name]
        created: SourceType = getattr(import_module(f"lorchestra.stages.extract.sources.{module}"), class_name)()
    else:
        created = extensions.load(SOURCE_TYPES, name)()
    return created
