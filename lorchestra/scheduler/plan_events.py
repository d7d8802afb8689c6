"""The event `plan_made` of each stage: how much it has to do, before it does it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from lorchestra.history.log import Log
from lorchestra.planning.plan import Target
from lorchestra.planning.snapshot import VALUES, Snapshot
from lorchestra.storage import listing


def extract(log: Log, snapshot: Snapshot, sources: Iterable[str]) -> None:
    """Sources are expected to deliver as many records as last time."""
    names = list(sources)
    known = [snapshot.store.get(f"extract:{name}", VALUES) or {} for name in names]
    records = sum(values["records"] for values in known) if known and all("records" in v for v in known) else None
    log.event("plan_made", "extract", tasks=len(names), up_to_date=0, bytes=0, records=records)


def canonize(log: Log, snapshot: Snapshot, targets: Sequence[Target]) -> None:
    """Records are estimated from the size of the raw files, with the ratio of the files that were built before."""
    files = snapshot.canonical_files.raw.files
    sizes = {target.name: sum(files[entry.name].st_size for entry in target.inputs) for target in targets}
    known = {target.name: snapshot.store.get(f"canonize:{target.name}", VALUES) or {} for target in targets}
    counted = [name for name, values in known.items() if "records_in" in values]
    to_do = [target.name for target in targets if snapshot.verdict(target).reasons]
    size, known_size = sum(sizes[name] for name in to_do), sum(sizes[name] for name in counted)
    records = round(size * sum(known[name]["records_in"] for name in counted) / known_size) if known_size else None
    done = len(targets) - len(to_do)
    log.event("plan_made", "canonize", tasks=len(to_do), up_to_date=done, bytes=size, records=records)


def index(log: Log, snapshot: Snapshot, reasons: Mapping[str, str | None]) -> None:
    """The store reads every file of a type that changed; unchanged ones cost it no time."""
    to_do = {type_ for type_, reason in reasons.items() if reason}
    canonical = listing.read(snapshot.config.canonize.output_dir).files
    size = sum(status.st_size for name, status in canonical.items() if name.rpartition("-")[0] in to_do)
    log.event("plan_made", "index", tasks=len(to_do), up_to_date=len(reasons) - len(to_do), bytes=size, records=None)
