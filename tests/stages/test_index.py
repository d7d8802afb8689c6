"""Stage 3 as its users meet it: canonical files into the store, only what changed, all or nothing per file."""

from __future__ import annotations

import json
import os

from tests.harness import Project, lines


def _ids(built: Project) -> list[str]:
    ids: list[str] = json.loads((built.store / "registry" / "email.json").read_bytes())["ids"]
    return ids


def test_the_store_is_laid_out_as_the_architecture_says(built: Project) -> None:
    for path, content in built.objects().items():
        first, second, name = path.split("/")
        type_, _, id_ = name.removesuffix(".json").rpartition("_")
        assert id_.startswith(first + second)
        assert type_ in ("email", "contact")
        assert json.loads(content)
    assert {path.name for path in (built.store / "registry").iterdir()} == {"email.json", "contact.json"}
    assert (built.store / "metadata.db").exists()
    assert {path.stat().st_mode & 0o077 for path in built.store.rglob("*")} == {0}


def test_unchanged_input_writes_nothing(built: Project) -> None:
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in built.store.rglob("*")}
    assert not built.ran("doit", "index")
    assert before == {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in built.store.rglob("*")}


def test_a_changed_canonical_file_updates_exactly_its_objects(built: Project) -> None:
    before = built.objects()
    raw = built.raw / "gmail-messages-a-20251110.jsonl"
    first, *rest = lines(raw)
    record = json.loads(first)
    record["snippet"], record["labelIds"] = "changed", ["INBOX"]
    headers = record["payload"]["headers"]
    headers[:] = [h for h in headers if h["name"].lower() != "subject"] + [{"name": "Subject", "value": "Changed"}]
    raw.write_bytes(json.dumps(record).encode() + b"\n" + b"".join(rest))
    assert built.ran("doit", "index") == {"canonize:email-20251110", "index:email"}
    after = built.objects()
    assert {path for path in after if before.get(path) != after[path]} == set(after) - set(before)
    assert len(after) == len(before) + 1
    assert built.state()["stages"]["index"]["counts"]["revised"] == 1


def test_doit_index_brings_canonical_files_up_to_date_first(project: Project) -> None:
    project.run("doit", "extract")
    assert {"canonize:email-20251110", "index:email", "index:contact"} <= project.ran("doit", "index")


def test_a_record_delivered_twice_is_one_object(built: Project) -> None:
    raw = built.raw / "gmail-messages-a-20251111.jsonl"
    raw.write_bytes(raw.read_bytes() + lines(raw)[0])
    before = built.objects()
    built.run("doit", "index")
    assert built.objects() == before
    assert built.state()["stages"]["index"]["counts"]["duplicates"] >= 1


def test_a_record_that_no_file_holds_any_more_is_retired_not_deleted(built: Project) -> None:
    raw = built.raw / "contacts-dataverse-20251110.jsonl"
    raw.write_bytes(lines(raw)[0])
    before = built.objects()
    built.run("doit", "index")
    assert built.objects() == before
    assert built.state()["stages"]["index"]["counts"]["retired"] == 1


def test_a_file_rebuilt_to_the_same_bytes_triggers_nothing_downstream(built: Project) -> None:
    built.run("doit", "forget", "canonize:email-20251110")
    assert built.ran("doit", "index") == {"canonize:email-20251110"}
    for file in (built.root / "phi-data" / "canonical").glob("*.jsonl"):
        os.utime(file)
    assert not {task for task in built.ran("doit", "index") if task.startswith("index:")}


def test_a_store_whose_database_was_overwritten_is_not_up_to_date(built: Project) -> None:
    (built.store / "metadata.db").write_bytes(b"overwritten")
    told = built.run("lorchestra", "run", "--stage", "index", status=None)
    assert told.returncode != 0
    assert "metadata.db" in told.stdout + told.stderr


def test_purged_records_stay_away_after_clean(built: Project) -> None:
    one = _ids(built)[0]
    built.run("vector-projector", "purge", one, "--yes", "--store", str(built.store))
    before = built.objects()
    built.run("lorchestra", "clean", "--yes")
    assert built.objects() == {}
    built.run("lorchestra", "run", "--stage", "index")
    assert built.objects() == before


def test_a_store_that_was_removed_is_built_again(built: Project) -> None:
    before = built.objects()
    built.run("lorchestra", "clean", "--stage", "index", "--yes")
    assert built.objects() == {}
    built.run("doit", "index")
    assert built.objects() == before


def test_a_missing_projector_is_named(built: Project) -> None:
    built.edit(
        "    output_dir: phi-data/vector-store\n", "    output_dir: phi-data/vector-store\n    command: /no/such\n"
    )
    assert "/no/such" in built.run("lorchestra", "run", "--stage", "index", status=2).stderr
