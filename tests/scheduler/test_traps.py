"""What doit does by itself, measured, and what the pipeline must do instead: one test a trap."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import types
from pathlib import Path
from typing import Any

import pytest
from doit.exceptions import InvalidTask

from lorchestra.base.errors import Code, Failure
from lorchestra.scheduler import uptodate
from tests.harness import BIN, Project, lines, words

PROGRAMS = Path(__file__).parent.parent / "programs"

CANONICAL = ["contact-20251110", "email-20251110", "email-20251111"]


def test_a_target_edited_by_hand_is_made_again(built: Project) -> None:
    before = built.canonical_bytes()
    target = built.canonical / "email-20251110.jsonl"
    target.write_bytes(lines(target)[0])
    assert built.ran("doit", "canonize") == {"canonize:email-20251110"}
    assert built.canonical_bytes() == before


def test_a_target_edited_with_its_mtime_preserved_is_made_again(built: Project) -> None:
    target = built.canonical / "email-20251110.jsonl"
    status, content = target.stat(), target.read_bytes()
    target.write_bytes(content[:-2].replace(b"a", b"b") + content[-2:])
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert built.ran("doit", "canonize") == {"canonize:email-20251110"}
    assert target.read_bytes() == content


def test_a_run_of_one_file_says_nothing_of_the_others(built: Project) -> None:
    for day in ("20251110", "20251111"):
        raw = built.raw / f"gmail-messages-a-{day}.jsonl"
        raw.write_bytes(raw.read_bytes() + lines(raw)[0].replace(b'"id":"', b'"id":"new-', 1))
    assert built.ran("doit", "canonize:email-20251110") == {"canonize:email-20251110"}
    assert built.ran("lorchestra", "run", "--stage", "canonize") == {"canonize:email-20251111"}
    assert built.ran("lorchestra", "run", "--stage", "canonize") == set()


def test_a_deleted_target_is_made_again(built: Project) -> None:
    before = built.canonical_bytes()
    (built.canonical / "email-20251111.jsonl").unlink()
    assert built.ran("doit", "canonize") == {"canonize:email-20251111"}
    assert built.canonical_bytes() == before


def test_a_deleted_lineage_makes_its_target_again(built: Project) -> None:
    (built.canonical / "lineage" / "email-20251111.json").unlink()
    assert built.ran("doit", "canonize") == {"canonize:email-20251111"}


def test_a_partial_file_of_a_killed_writer_is_never_taken_for_the_target(built: Project) -> None:
    leftover = built.canonical / ".email-20251110.jsonl.99999.tmp~"
    leftover.write_bytes(b'{"half": ')
    leftover.chmod(0o600)
    built.run("doit", "canonize")
    assert not leftover.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_what_was_done_before_a_kill_is_not_done_again(project: Project, number: signal.Signals) -> None:
    project.edit("days: 2, records: 3, seed: 1", "days: 40, records: 3, seed: 1")
    project.run("doit", "extract")
    with project.start("doit", "canonize") as child:
        done = project.canonical / "lineage"
        deadline = time.monotonic() + 60
        while not (done.is_dir() and len(list(done.glob("*.json"))) > 4) and time.monotonic() < deadline:
            time.sleep(0.005)
        os.killpg(child.pid, number)
        child.communicate(timeout=60)
    kept = {path.stem for path in done.glob("*.json")}
    assert len(kept) > 4
    assert not words(sorted(kept), "canonize") & project.ran("doit", "canonize")
    assert not project.ran("doit", "canonize")


def test_the_second_of_two_runs_is_refused(built: Project) -> None:
    slow = 'slow-one: {type: command, command: ["sh", "-c", "sleep 5"]}'
    built.edit("    sources:\n", f"    sources:\n      {slow}\n")
    with built.start("doit", "extract") as first:
        time.sleep(1.5)
        second = built.run("doit", "canonize", status=3)
        assert f"Another run is in progress (PID {first.pid} on " in second.stderr
        assert built.run("lorchestra", "run", status=8).stdout == ""
        first.terminate()
        first.communicate(timeout=30)
    assert not built.ran("doit", "canonize")


def test_an_input_that_grows_during_its_own_task_is_not_lost(built: Project) -> None:
    program = f'["{sys.executable}", "{PROGRAMS / "can_and_append.py"}"]'
    built.edit("    registry: transforms\n", f"    registry: transforms\n    command: {program}\n")
    built.run("doit", "canonize:email-20251110")
    assert "input grew: exchange-messages-b-20251110.jsonl" in built.run("lorchestra", "status").stdout


def test_a_file_that_fails_holds_no_other_back(project: Project) -> None:
    project.run("doit", "extract")
    bad = project.raw / "gmail-messages-a-20251110.jsonl"
    bad.write_bytes(b"this is not JSON\n")
    failed = project.run("doit", "canonize", "index", status=2)
    assert "gmail-messages-a-20251110.jsonl: line 1" in failed.stdout
    assert "this is not" not in failed.stdout + failed.stderr
    assert (project.canonical / "email-20251111.jsonl").exists()
    assert len(project.objects()) == 6 + 2
    # and it wipes no memory of what went well
    assert project.ran("doit", "canonize", status=None) == {"canonize:email-20251110"}


def test_the_permission_check_runs_before_any_task_in_any_selection(built: Project) -> None:
    built.raw.chmod(0o755)
    for selection in ([], ["canonize"], ["index"], ["extract"], ["canonize:email-20251110"]):
        refused = built.run("doit", *selection, status=3)
        assert f"chmod 700 {built.raw}" in refused.stderr
        assert refused.stdout == ""
    assert f"chmod 700 {built.raw}" in built.run("lorchestra", "run", status=5).stderr
    built.raw.chmod(0o700)
    assert built.run("doit", "canonize").stdout.startswith(".  phi")


def test_phi_is_seen_to_run_also_when_nothing_else_does(built: Project) -> None:
    assert ".  phi" in built.run("doit", "canonize").stdout


def test_a_target_whose_inputs_are_gone_is_stale_until_it_is_cleaned(built: Project) -> None:
    (built.raw / "contacts-dataverse-20251110.jsonl").unlink()
    assert "contact-20251110" in built.run("lorchestra", "status").stdout
    assert not built.ran("doit", "canonize", "index")
    assert (built.canonical / "contact-20251110.jsonl").exists()
    assert len(list(built.store.rglob("contact_*.json"))) == 2
    built.run("lorchestra", "clean", "--stale", "--yes")
    assert not (built.canonical / "contact-20251110.jsonl").exists()
    assert json.loads(built.run("lorchestra", "status", "--json").stdout)["stale"] == []
    assert built.run("vector-projector", "list", "contact", "--store", str(built.store)).stdout.strip().count("\n") <= 1


def test_a_changed_transform_makes_exactly_its_files_again(built: Project) -> None:
    spec = built.root / "transforms/contact/dataverse_contact_to_canonical_v1.jsonata"
    spec.write_text(spec.read_text() + "\n")
    built.run("can", "registry", "checksum", "--registry", "transforms", "--write")
    assert built.ran("doit", "canonize") == {"canonize:contact-20251110"}


def test_a_changed_schema_makes_exactly_its_files_again(built: Project) -> None:
    schema = built.root / "transforms/schemas/com.microsoft/graph_message/jsonschema/1-1-0.json"
    schema.write_text(schema.read_text() + "\n")
    assert built.ran("doit", "canonize") == words(["email-20251110", "email-20251111"], "canonize")


def test_a_changed_mapping_makes_exactly_its_files_again(built: Project) -> None:
    built.edit('      - {source_pattern: "*exchange*.jsonl", transform: email/exchange_to_canonical_v1}\n', "")
    assert built.ran("doit", "canonize") == words(["email-20251110", "email-20251111"], "canonize")
    assert "2 raw files without a mapping" in built.run("doit", "canonize").stdout


def test_one_path_spelt_in_two_ways_is_one_target(built: Project) -> None:
    built.edit("output_dir: phi-data/canonical", "output_dir: ./phi-data/../phi-data/canonical/")
    assert not built.ran("doit", "canonize")


def test_what_extraction_makes_is_indexed_in_the_same_run(project: Project) -> None:
    ran = project.ran("doit", "-n", "2")
    assert words(CANONICAL, "canonize") | {"index:email", "index:contact"} <= ran
    assert len(project.objects()) == 14


def test_what_extraction_makes_is_indexed_in_the_same_run_in_one_process(project: Project) -> None:
    project.edit("pipeline: {name: test}", "pipeline: {name: test}\nbehavior: {jobs: 1}")
    project.run("doit")
    assert len(project.objects()) == 14


def test_doit_canonize_calls_no_source(built: Project) -> None:
    for path in built.raw.iterdir():
        path.unlink()
    assert not built.ran("doit", "canonize", "index")
    assert list(built.raw.iterdir()) == []


def test_a_deleted_raw_file_comes_back_from_its_source(built: Project) -> None:
    for path in built.raw.iterdir():
        path.unlink()
    assert "extract:gmail-messages-a" in built.ran("doit")
    assert not built.ran("doit", "canonize", "index")


def test_an_input_edited_with_its_mtime_preserved_is_noticed(built: Project) -> None:
    raw = built.raw / "gmail-messages-a-20251110.jsonl"
    status, content = raw.stat(), raw.read_bytes()
    raw.write_bytes(content.replace(b"2025", b"2024", 1))
    os.utime(raw, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert built.ran("doit", "canonize") == {"canonize:email-20251110"}


def test_a_touched_input_is_not_redone(built: Project) -> None:
    (built.raw / "gmail-messages-a-20251110.jsonl").touch()
    assert not built.ran("doit", "canonize")


def test_list_with_status_changes_nothing(built: Project) -> None:
    before = (built.root / "phi-data/.work/tasks.json").read_bytes()
    listed = built.run("doit", "list", "--all", "--status").stdout
    assert "U canonize:email-20251110" in listed
    assert (built.root / "phi-data/.work/tasks.json").read_bytes() == before


def test_a_dry_run_tells_reasons_propagates_and_changes_nothing(built: Project) -> None:
    (built.raw / "contacts-dataverse-20251110.jsonl").unlink()
    raw = built.raw / "gmail-messages-a-20251110.jsonl"
    raw.write_bytes(b"".join(lines(raw)[:2]))
    before = sorted((str(p), p.stat().st_mtime_ns) for p in built.root.rglob("*") if ".coverage" not in p.name)
    told = built.run("lorchestra", "run", "--dry-run", "--stage", "index").stdout
    assert "RUN   canonize:email-20251110" in told and f"input shrank: {raw.name}" in told
    assert "skip  canonize:email-20251111" in told
    assert "MAYBE index:email" in told and "canonical files will be rebuilt" in told
    assert before == sorted((str(p), p.stat().st_mtime_ns) for p in built.root.rglob("*") if ".coverage" not in p.name)


def test_forget_without_a_name_forgets_the_real_tasks(built: Project) -> None:
    built.run("doit", "forget")
    assert words(CANONICAL, "canonize") <= built.ran("doit", "canonize")


def test_forget_one_task(built: Project) -> None:
    built.run("doit", "forget", "canonize:email-20251110")
    assert built.ran("doit", "canonize") == {"canonize:email-20251110"}
    assert not built.ran("doit", "canonize")


@pytest.mark.parametrize(("command", "told"), [("forget", "marked for rebuild (doit forget)"), ("ignore", "ignored; ")])
def test_what_is_said_of_one_task_is_heard_where_nothing_else_is_to_do(built: Project, command: str, told: str) -> None:
    run = ("lorchestra", "run", "--stage", "canonize")
    assert "canonize:email" not in built.run(*run).stdout  # nothing is to do, and nothing was looked at one by one
    built.run("doit", command, "canonize:email-20251110")
    [line] = [line for line in built.run(*run).stdout.splitlines() if "canonize:email-20251110 " in line]
    assert told in line


def test_forget_all_after_the_cache_was_lost(built: Project) -> None:
    (built.root / "phi-data/.work/tasks.json").unlink()
    assert not built.ran("doit", "canonize")
    built.run("doit", "forget", "--all")
    assert words(CANONICAL, "canonize") == built.ran("doit", "canonize")
    assert not built.ran("doit", "canonize")


@pytest.mark.parametrize("damage", [b"", b"{", b'{"format": "other"}', b"[]", b"\xff"])
def test_a_damaged_cache_costs_nothing_but_time(built: Project, damage: bytes) -> None:
    (built.root / "phi-data/.work/tasks.json").write_bytes(damage)
    assert not built.ran("doit", "canonize", "index")


def test_an_edited_cache_is_not_believed(built: Project) -> None:
    cache = built.root / "phi-data/.work/tasks.json"
    cache.write_bytes(cache.read_bytes().replace(b"_values_:", b"_valued_:"))
    assert built.run("lorchestra", "status").returncode == 0
    assert "no successful extraction yet" in built.run("lorchestra", "status").stdout
    assert not built.ran("doit", "canonize", "index")


def test_a_lineage_that_says_too_little_hangs_nothing(built: Project) -> None:
    for lineage in (built.canonical / "lineage").iterdir():
        receipt = json.loads(lineage.read_bytes())
        del receipt["output"]["records"]
        lineage.write_text(json.dumps(receipt))
    (built.root / "phi-data/.work/tasks.json").unlink()
    assert not built.ran("doit", "canonize")


@pytest.mark.parametrize("fault", [Failure(Code.PERMISSION, "told"), ValueError("secret")])
def test_an_error_of_a_check_is_reported_without_its_text(fault: Exception) -> None:
    class Faulty(uptodate._Check):
        def _is_up_to_date(self, task: Any) -> bool:
            raise fault

    with pytest.raises(InvalidTask, match=r"canonize:x: (told|unexpected ValueError at .*uptodate.py)") as caught:
        Faulty()(types.SimpleNamespace(name="canonize:x"), {})
    assert caught.value.__suppress_context__


def test_doit_clean_without_a_terminal_fails_and_removes_nothing(built: Project) -> None:
    before = built.canonical_bytes()
    refused = built.run("doit", "clean", status=3)
    assert "lorchestra clean --stage canonize --yes" in refused.stderr
    assert "would remove phi-data/canonical/email-20251110.jsonl" in built.run("doit", "clean", "-n").stdout
    assert built.canonical_bytes() == before


def test_exit_statuses_of_both_doors(project: Project) -> None:
    project.run("doit", "extract")
    (project.raw / "gmail-messages-a-20251110.jsonl").write_bytes(b"nonsense\n")
    project.run("lorchestra", "run", "--stage", "canonize", status=3)
    assert project.run("doit", "canonize", status=None).returncode in (1, 2)
    project.configure("pipeline: {nme: x}")
    assert "did you mean `name`" in project.run("doit", status=3).stderr
    assert "did you mean `name`" in project.run("lorchestra", "run", status=2).stderr


def test_nothing_of_doit_is_left_in_the_project(built: Project) -> None:
    assert not list(built.root.rglob(".doit*"))
    modes = {path.name: path.stat().st_mode & 0o077 for path in Path(built.logs).iterdir()}
    assert set(modes.values()) == {0}


def test_another_backend_is_refused_by_every_command(built: Project) -> None:
    for command in ("run", "list", "forget"):
        assert "has its own task store" in built.run("doit", command, "--backend", "json", status=3).stderr


def test_index_does_not_depend_on_thousands_of_files(built: Project) -> None:
    told = built.run("doit", "info", "index:email").stdout
    assert "file_dep" not in told
    assert ".jsonl" not in told.partition("canonical files")[2].partition("\n")[2]


def test_the_number_of_jobs_can_be_chosen(project: Project) -> None:
    project.run("doit", "-n", "3")
    assert len(project.objects()) == 14
    assert not project.ran("doit", "canonize", "index")


def test_a_reason_can_be_read(built: Project) -> None:
    built.edit("    registry: transforms\n", "    registry: transforms\n    validation: {max_rejects: 9}\n")
    assert "settings changed" in built.run("doit", "canonize").stdout
    assert "as its receipt says" not in built.run("doit", "info", "canonize:email-20251110", status=None).stdout


def test_a_changed_canonizer_command_rebuilds_every_file(built: Project) -> None:
    """Its words, and the content of a script that it names, are part of how a file is made."""
    every = words(CANONICAL, "canonize")
    script = built.root / "tools" / "canonizer.sh"
    script.parent.mkdir(mode=0o700)
    script.write_text(f'#!/bin/sh\nexec {BIN / "can"} "$@"\n')
    built.edit("    registry: transforms\n", "    registry: transforms\n    command: [sh, tools/canonizer.sh]\n")
    assert built.ran("doit", "canonize") == every
    assert built.ran("doit", "canonize") == set()
    script.write_text(script.read_text() + "# edited\n")
    assert "canonizer command changed" in built.run("lorchestra", "run", "--dry-run", "--stage", "canonize").stdout
    assert built.ran("lorchestra", "run", "--stage", "canonize") == every
    assert built.ran("lorchestra", "run", "--stage", "canonize") == set()


def test_a_changed_argument_of_a_filter_rebuilds_every_file(built: Project) -> None:
    words_of_can = 'can, transform, run, --meta, "{meta}", --schemas, "{schemas}", --rejects, "{rejects}"'
    built.edit("    registry: transforms\n", f"    registry: transforms\n    command: [{words_of_can}]\n")
    assert built.ran("doit", "canonize") == words(CANONICAL, "canonize")
    built.edit(words_of_can, f'{words_of_can}, --jobs, "2"')
    assert built.ran("doit", "canonize") == words(CANONICAL, "canonize")
    assert built.ran("doit", "canonize") == set()
