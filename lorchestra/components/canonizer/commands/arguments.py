"""Arguments that several commands take."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from lorchestra.base.commandline import path as local_path
from lorchestra.base.errors import Code, Failure
from lorchestra.records import bundled

_SHARE = re.compile(r"(100|[0-9]{1,2}(\.[0-9]{1,9})?)%")


def add_transform(parser: argparse.ArgumentParser) -> None:
    """Which transform: by name and registry, or by its metadata file."""
    which = parser.add_argument_group("which transform")
    which.add_argument(
        "id", nargs="?", metavar="ID", help="its name, such as email/gmail_to_canonical_v1 or …@1.0.0, …@latest"
    )
    add_registry(which)
    which.add_argument("--meta", type=local_path, metavar="FILE", help="its metadata file, instead of ID")
    add_schemas(which)
    add_engine(which)


def add_registry(parser: argparse._ActionsContainer) -> None:
    """Where transforms are looked up."""
    parser.add_argument(
        "--registry",
        type=local_path,
        default=bundled.default(),
        metavar="DIR",
        help="directory of the registry (default: ./transforms, otherwise the bundled registry)",
    )


def meta_path(arguments: argparse.Namespace) -> Path:
    """The metadata file that the arguments name. Raises Failure(USAGE | TRANSFORM_MISSING)."""
    if (arguments.meta is None) == (arguments.id is None):
        raise Failure(Code.USAGE, "name the transform with an ID or with --meta")
    if arguments.meta is not None:
        path: Path = arguments.meta
        return path
    from lorchestra.records import registry

    return registry.locate(arguments.registry, arguments.id)


def schema_roots(where: Path, given: Path | None) -> list[Path]:
    """The directory that `--schemas` names; otherwise those of a registry, by the one rule of `schema_roots`."""
    if given is not None:
        return [given]
    from lorchestra.records import registry

    return registry.schema_roots(registry.home(where)) or [where / "schemas"]


def add_schemas(parser: argparse._ActionsContainer) -> None:
    """Where schemas are looked up."""
    parser.add_argument(
        "--schemas",
        type=local_path,
        metavar="DIR",
        help="directory of the schemas (default: `schemas` next to the transform or above it)",
    )


def add_engine(parser: argparse._ActionsContainer) -> None:
    """Which engine runs transforms."""
    parser.add_argument(
        "--engine", metavar="NAME", help="jlens, jsonatapy, or one of another package (default: as the metadata says)"
    )


def count(text: str, least: int = 1) -> int:
    """A whole number from 1."""
    if not text.isascii() or not text.isdigit() or len(text) > 18 or int(text) < least:
        raise argparse.ArgumentTypeError(f"must be a whole number from {least}")
    return int(text)


def limit(text: str) -> int | str:
    """A whole number from 0, or a share such as 5%."""
    if _SHARE.fullmatch(text):
        return text
    return count(text, 0)
