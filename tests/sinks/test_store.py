"""The sink for the bundled store."""

from __future__ import annotations

import dataclasses

from lorchestra.base.errors import Code
from lorchestra.planning import config
from lorchestra.sinks.store import StoreSink
from tests.harness import Project


def test_a_load_returns_the_counts_of_its_report(built: Project) -> None:
    sink = StoreSink(config.load(built.root / "pipeline.yaml"))
    result = sink.load("email")
    assert result.code is None
    assert (result.counts["files"], result.counts["files_unchanged"], result.counts["objects"]) == (2, 2, 12)
    (built.canonical / "email-20251110.jsonl").unlink()
    assert sink.load("email", prune=True).counts["retired"] == 6
    assert not list((built.root / "phi-data/.work/logs").glob("*.json"))


def test_failures_are_returned(built: Project) -> None:
    settings = config.load(built.root / "pipeline.yaml")
    (built.canonical / "email-20251110.jsonl").write_text("no JSON\n")
    failed = StoreSink(settings).load("email")
    assert failed.code is Code.NOT_JSONL
    assert "email-20251110.jsonl" in failed.outcome.message
    missing = dataclasses.replace(settings.index, command=("no-such-projector",))
    assert StoreSink(dataclasses.replace(settings, index=missing)).load("email").code is Code.COMPONENT_MISSING
    silent = dataclasses.replace(settings.index, command=("true",))
    assert StoreSink(dataclasses.replace(settings, index=silent)).load("email").code is Code.COMPONENT_FAILED
