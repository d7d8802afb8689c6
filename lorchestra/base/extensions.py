"""Extensions that other installed packages provide through entry points.

Looking for entry points reads the metadata of every installed package, which is slow: call `load` only for a name that
is not built in.
"""

from __future__ import annotations

from typing import Any

from lorchestra.base.errors import Code, Failure


def provides(group: str, name: str) -> bool:
    """Whether an installed package registers `name` in the group."""
    from importlib.metadata import entry_points

    return bool(entry_points(group=group, name=name))


def load(group: str, name: str) -> Any:
    """The object that a package registers as `name` in an entry-point group such as `lorchestra.executors`.

    Raises Failure(CONFIG) if no package does, Failure(COMPONENT_FAILED) if it cannot be imported.
    """
    from importlib.metadata import entry_points

    found = entry_points(group=group, name=name)
    if not found:
        known = ", ".join(sorted(entry.name for entry in entry_points(group=group))) or "none"
        raise Failure(Code.CONFIG, f"no installed package provides {name!r} in {group} (installed: {known})")
    try:
        return next(iter(found)).load()
    except Exception as error:
        raise Failure(Code.COMPONENT_FAILED, f"{name} ({group}) cannot be imported: {type(error).__name__}") from None
