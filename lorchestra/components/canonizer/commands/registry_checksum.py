"""Compare the checksums in a registry's metadata with the specs, or write them after a deliberate edit.

can registry checksum                                   compare all; exits with 4 where one differs
can registry checksum --write email/gmail_labels        write one; the rest of the file's text stays as it is
"""

from __future__ import annotations

import argparse
import re

from lorchestra.base import yaml_document
from lorchestra.base.errors import Code, Exit, Failure, visible
from lorchestra.components.canonizer.authoring.checks import attempt
from lorchestra.components.canonizer.commands.arguments import add_registry
from lorchestra.components.canonizer.commands.transform_test import selected
from lorchestra.components.canonizer.registry import transforms, writing
from lorchestra.records.registry import read_bytes


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "ids", nargs="*", metavar="ID", help="a transform's name (default: all transforms of the registry)"
    )
    add_registry(parser)
    parser.add_argument("--write", action="store_true", help="write checksums that differ into the metadata")


def run(args: argparse.Namespace) -> int:
    """Compare, or write, and print."""
    metas = selected(args.registry, args.ids)
    differing = [
        found for found in (transforms.load(meta, require_checksum=False) for meta in metas) if not found.sound
    ]
    for found in differing:
        if args.write:
            writing.replace(found.meta_path, rewritten(found))
        before = found.meta.sha256[:12] if found.meta.sha256 else "none"
        change = f"{before} {'->' if args.write else 'but the spec has'} {found.spec_sha256[:12]}"
        print(f"{visible(str(found.meta_path))}: {change}")
    print(f"transforms: {len(metas)}, checksums that {'were written' if args.write else 'differ'}: {len(differing)}")
    return Exit.REGISTRY if differing and not args.write else Exit.OK


def rewritten(transform: transforms.Transform) -> bytes:
    """The metadata's text with the checksum of the spec as it is, every other byte kept. Raises Failure(CONFIG)."""
    content = read_bytes(transform.meta_path)
    checksum = transform.meta.document.get("checksum")
    if checksum is None:
        changed = _added(content, transform.spec_sha256)
    else:
        key = "jsonata_sha256" if "jsonata_sha256" in checksum else "value"
        line = yaml_document.load(content, str(transform.meta_path)).place(("checksum", key)).line
        changed = _exchanged(content, line, str(checksum[key]), transform.spec_sha256)
    written, _ = attempt(yaml_document.load, changed, str(transform.meta_path))
    if written is None or transform.spec_sha256 not in str(written.value.get("checksum")):
        raise Failure(
            Code.CONFIG, f"{transform.meta_path}: its layout is unusual: write checksum.jsonata_sha256 by hand"
        )
    return changed


def _exchanged(content: bytes, line: int, old: str, new: str) -> bytes:
    """The text with a digest replaced at its first occurrence from a line on; an empty one is a pair of quotes."""
    if not old:
        old, new = '""' if b'""' in content.splitlines()[line - 1] else "''", f'"{new}"'
    lines = content.splitlines(keepends=True)
    rest = b"".join(lines[line - 1 :])
    return b"".join(lines[: line - 1]) + re.sub(re.escape(old).encode(), new.encode(), rest, count=1)


def _added(content: bytes, digest: str) -> bytes:
    block = f"checksum:\n  jsonata_sha256: {digest}\n".encode()
    emptied = re.sub(rb"(?m)^checksum:[ \t]*(?:null|~)?[ \t]*\r?\n", block, content, count=1)
    if emptied != content:
        return emptied
    return content + (b"" if content.endswith(b"\n") else b"\n") + block
