"""The projector's settings: a YAML file, overridden by what the command line says."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lorchestra.base import yaml_document
from lorchestra.base.errors import ConfigFailure, Finding, from_os_error
from lorchestra.records import bundled, names

ON_CHANGE = ("revise", "skip")
_KEYS = ("store", "schemas", "on_change", "full_text")


class Config(NamedTuple):
    """Where the store and the schemas lie, what a changed record does, whether words are indexed."""

    store: Path = Path("phi-data/vector-store")
    schemas: Path = bundled.default() / "schemas"
    on_change: Mapping[str, str] = {}
    full_text: bool = True

    def policy(self, kind: str) -> str:
        """`revise` or `skip`, for a changed record of a type."""
        return self.on_change.get(kind, "revise")


def resolve(options: argparse.Namespace) -> Config:
    """The settings of a run: what the command line says, else what its --config says, else the defaults."""
    loaded = load(options.config) if options.config else Config()
    said = {name: getattr(options, name, None) for name in ("store", "schemas")}
    return loaded._replace(**{name: path for name, path in said.items() if path})


def load(path: Path) -> Config:
    """Read a configuration file; its paths are relative to it. Raises ConfigFailure with every fault at once."""
    failure = None
    try:
        content = path.read_bytes()
    except OSError as error:
        failure = from_os_error(error, path)
    if failure:
        raise failure
    document = yaml_document.load(content, str(path))
    said = {} if document.value is None else document.value
    faults = list(_faults(said))
    if faults:
        raise ConfigFailure(str(path), [Finding(*document.place(where), message) for where, message in faults])
    default = Config()
    return Config(
        path.parent / said["store"] if "store" in said else default.store,
        path.parent / said["schemas"] if "schemas" in said else default.schemas,
        said.get("on_change", {}),
        said.get("full_text", True),
    )


def _faults(said: Any) -> list[tuple[tuple[str, ...], str]]:
    if not isinstance(said, dict):
        return [((), "must be a mapping")]
    faults: list[tuple[tuple[str, ...], str]] = []
    for key, value in said.items():
        if key not in _KEYS:
            near = difflib.get_close_matches(key, _KEYS, 1)
            faults.append(((key,), f"unknown key; did you mean {near[0]}?" if near else "unknown key"))
        elif key in ("store", "schemas") and not (isinstance(value, str) and value):
            faults.append(((key,), "must be a path"))
        elif key == "full_text" and not isinstance(value, bool):
            faults.append(((key,), "must be true or false"))
        elif key == "on_change":
            faults += _policy_faults(value)
    return faults


def _policy_faults(value: Any) -> list[tuple[tuple[str, ...], str]]:
    if not isinstance(value, dict):
        return [(("on_change",), "must map types to revise or skip")]
    faults: list[tuple[tuple[str, ...], str]] = [
        (("on_change", kind), "not the name of a type") for kind in value if not names.is_type(kind)
    ]
    return faults + [
        (("on_change", kind), f"must be one of {', '.join(ON_CHANGE)}")
        for kind, policy in value.items()
        if policy not in ON_CHANGE
    ]
