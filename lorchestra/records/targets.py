"""The three files of a canonical target: its records, its rejects and its lineage.

    canonical/email-20251112.jsonl            the canonical records
    canonical/rejects/email-20251112.jsonl    the raw records that were rejected, with the reason (records/rejects.py)
    canonical/lineage/email-20251112.json     what it was made from (records/lineage.py); written last

A target is named after its type and date: `email-20251112`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

REJECTS_DIRECTORY = "rejects"
LINEAGE_DIRECTORY = "lineage"


class TargetFiles(NamedTuple):
    """The paths of a target's files; plain text, because `Path` is slow for thousands of targets."""

    output: str
    rejects: str
    lineage: str


def output_name(target: str) -> str:
    """The name of the file with the records; its rejects have the same name."""
    return f"{target}.jsonl"


def lineage_name(target: str) -> str:
    """The name of the lineage file."""
    return f"{target}.json"


def files(canonical: str | os.PathLike[str], target: str) -> TargetFiles:
    """The files of a target below the canonical directory, whether they exist or not."""
    directory = os.fspath(canonical)
    return TargetFiles(
        os.path.join(directory, output_name(target)),
        os.path.join(directory, REJECTS_DIRECTORY, output_name(target)),
        os.path.join(directory, LINEAGE_DIRECTORY, lineage_name(target)),
    )


def directories(canonical: Path) -> tuple[Path, Path, Path]:
    """The directories of the records, the rejects and the lineage."""
    return canonical, canonical / REJECTS_DIRECTORY, canonical / LINEAGE_DIRECTORY
