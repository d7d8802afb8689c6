"""The projector's settings: a YAML file (config.schema.json says what is valid), overridden by options."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from lorchestra.base.errors import ConfigFailure, from_os_error
from lorchestra.records import bundled

_SCHEMA = Path(__file__).with_name("config.schema.json")


class Config(NamedTuple):
    """Where the store and the schemas are, what happens to a changed record, whether words are indexed."""

    store: Path = Path("phi-data/vector-store")
    schemas: Path = bundled.default() / "schemas"
    on_change: Mapping[str, str] = {}
    full_text: bool = True

    def policy(self, kind: str) -> str:
        """`revise` or `skip`, for a changed record of a type."""
        return self.on_change.get(kind, "revise")


def resolve(options: argparse.Namespace) -> Config:
    """The settings of a run: the options, otherwise the file that --config names, otherwise the defaults."""
    loaded = load(options.config) if options.config else Config()
    given = {name: getattr(options, name, None) for name in ("store", "schemas")}
    return loaded._replace(**{name: path for name, path in given.items() if path})


def load(path: Path) -> Config:
    """Read a configuration file; its paths are relative to it. Raises ConfigFailure with every error, Failure."""
    from lorchestra.base import yaml_document, yaml_schema  # only here: most commands have no configuration file

    try:
        content = path.read_bytes()
    except OSError as error:
        raise from_os_error(error, path) from None
    document = yaml_document.load(content, str(path))
    schema = json.loads(_SCHEMA.read_bytes())
    findings = list(yaml_schema.check(document, schema))
    if findings:
        raise ConfigFailure(str(path), findings)
    return Config(**yaml_schema.convert(document.value or {}, schema, {"#/$defs/path": path.parent.joinpath}))
