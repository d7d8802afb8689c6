"""The command-line style that all four programs share, through the real programs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
PROGRAMS = ("lorchestra", "can", "vector-projector", "lorchestra-sample")


def ran(*argv: str) -> subprocess.CompletedProcess[str]:
    command = [str(BIN / argv[0]), *argv[1:]]
    return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("option", ["-V", "--version"])
def test_every_program_has_a_version(program: str, option: str) -> None:
    ended = ran(program, option)
    assert (ended.returncode, ended.stdout.split()[0]) == (0, program)


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_has_help(program: str) -> None:
    assert ran(program, "-h").returncode == 0


@pytest.mark.parametrize(
    ("argv", "what"),
    [
        (("lorchestra", "rnu"), "there is no 'rnu'; did you mean run?"),
        (
            ("lorchestra", "run", "--dry-rnu"),
            "lorchestra run: unrecognized arguments: --dry-rnu; did you mean --dry-run?",
        ),
        (("lorchestra", "run", "--dry"), "unrecognized arguments: --dry"),
        (("lorchestra", "run", "--config", "a", "--config", "b"), "argument --config: given more than once"),
        (("can", "transform", "rnu"), "Did you mean `can transform run`?"),
        (("can", "transform", "run", "--inptu", "x"), "did you mean --input?"),
        (("can", "transform", "run", "--jobs", "1", "--jobs", "2"), "argument --jobs: given more than once"),
        (("vector-projector", "serach"), "there is no 'serach'; did you mean search?"),
        (("vector-projector", "search", "x", "--stroe", "y"), "did you mean --store?"),
        (("lorchestra-sample", "gmail-message"), "did you mean gmail-messages?"),
    ],
)
def test_a_misspelled_word_gets_the_closest_match(argv: tuple[str, ...], what: str) -> None:
    ended = ran(*argv)
    assert ended.returncode == 2
    assert what in ended.stderr


@pytest.mark.parametrize(
    "argv",
    [
        ("can", "transform", "run", "a/b", "--output", "gs://bucket/o.jsonl"),
        ("can", "transform", "run", "a/b", "--input", "s3://bucket/i.jsonl"),
        ("can", "validate", "run", "--schema", "x", "--data", "https://host/i.jsonl"),
        ("vector-projector", "pull", "--input", ".", "--store", "bigquery://project.dataset"),
        ("vector-projector", "verify", "--store", "gs://bucket/store"),
        ("lorchestra-sample", "gmail-messages", "--output", "gs://bucket/raw"),
        ("lorchestra", "status", "--config", "gs://bucket/pipeline.yaml"),
    ],
)
def test_a_uri_is_no_local_path(argv: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ended = ran(*argv)
    assert ended.returncode == 2
    assert "is not supported; name a local path" in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_closed_standard_streams_fail_as_they_do_for_cat(tmp_path: Path) -> None:
    data = tmp_path / "in.jsonl"
    data.write_text('{"id": "1", "payload": {}}\n')
    transform = f"{BIN}/can transform run email/gmail_to_canonical_v1 --registry {Path(__file__).parents[2]}/transforms"
    for script in (f"{transform} < {data} >&-", f"{transform} <&-", f"{BIN}/lorchestra --help >&-"):
        ended = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
        assert ended.returncode == 1, script
        assert "bad file descriptor" in ended.stderr
        assert "A standard stream is closed" in ended.stderr
