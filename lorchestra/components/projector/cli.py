"""`vector-projector`: arguments, and which command they mean.

Each verb is a module of `commands`, imported only when it is used.
"""

from __future__ import annotations

import importlib
import io
import sys
from collections.abc import Collection, Sequence

import lorchestra
from lorchestra.base import commandline, completion, program

NAME = "vector-projector"
VERBS = {
    "pull": "load canonical files into the store",
    "ingest": "load a stream of canonical records into the store",
    "get": "show an object by its id",
    "list": "list the objects of a type, newest first",
    "search": "find objects by the words in them",
    "embed": "compute embeddings for search --semantic",
    "query": "run a read-only SQL query over the objects",
    "verify": "check every object and every row",
    "repair": "rebuild the database from the objects alone",
    "purge": "erase objects and all traces of them",
    "export": "write the records as canonical files again",
    "backup": "copy the store to another directory, incrementally",
    "restore": "make a store of a backup",
    "compact": "return free space to the file system",
    "stats": "show counts by type",
}


_EXAMPLES = """\
examples:
  vector-projector pull --input phi-data/canonical --store phi-data/vector-store --schemas transforms/schemas
  vector-projector search "blood pressure" --store phi-data/vector-store
  vector-projector verify --store phi-data/vector-store"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; return its exit status."""
    return program.run(NAME, lambda: _body(sys.argv[1:] if argv is None else list(argv)))


def _body(argv: list[str]) -> int:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    asked = next((word for word in argv if not word.startswith("-")), None)
    options = _parser([asked] if asked else []).parse_args(argv)
    command = importlib.import_module(f"lorchestra.components.projector.commands.{options.verb}")
    status: int = command.run(options)
    return status


def _parser(complete: Collection[str]) -> commandline.Parser:
    """The parser. Only the verbs in `complete` declare their arguments, so that no other module is imported."""
    parser = commandline.Parser(prog=NAME, description="A searchable store of canonical records.", epilog=_EXAMPLES)
    parser.add_argument("-V", "--version", action="version", version=f"{NAME} {lorchestra.__version__}")
    completion.add_option(parser, lambda: _parser(VERBS))
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for verb, summary in VERBS.items():
        sub = verbs.add_parser(verb, help=summary, description=summary)
        sub.add_argument("--store", type=commandline.path, metavar="DIR", help="directory of the store")
        sub.add_argument(
            "--config",
            type=commandline.path,
            metavar="FILE",
            help="YAML file with store, schemas, on_change, full_text",
        )
        if verb in complete:
            importlib.import_module(f"lorchestra.components.projector.commands.{verb}").arguments(sub)
    return parser


if __name__ == "__main__":
    sys.exit(main())
