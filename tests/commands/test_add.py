"""`lorchestra add source`: the entries that it writes are valid, and everything else in the file stays."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from lorchestra.commands import add
from lorchestra.commands.init import init
from lorchestra.planning import config
from tests.harness import BIN, Project


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    """A new pipeline."""
    init(tmp_path / "practice")
    return tmp_path / "practice" / "pipeline.yaml"


def run(pipeline: Path, *words: str, status: int = 0) -> str:
    """Run `lorchestra add source` in the pipeline's directory; return what it prints."""
    argv = [str(BIN / "lorchestra"), "-C", str(pipeline.parent), "add", "source", *words]
    ended = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert ended.returncode == status, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("words", "type_", "transform"),
    [
        (["gmail", "meltano-ingest"], "meltano", "email/gmail_to_canonical_v1"),
        (["exchange", "meltano-ingest"], "meltano", "email/exchange_to_canonical_v1"),
        (["dataverse", "meltano-ingest"], "meltano", "contact/dataverse_contact_to_canonical_v1"),
        (["forms", "meltano-ingest"], "meltano", "form_response/google_forms_to_canonical_v1"),
        (["files", "inbox"], "files", None),
        (["mailbox", "takeout"], "mailbox", "email/gmail_to_canonical_v1"),
        (["command", "--", "./export", "--to", "{output}", "yes"], "command", None),
    ],
)
def test_every_kind_is_written_and_mapped(pipeline: Path, words: list[str], type_: str, transform: str | None) -> None:
    before = pipeline.read_text()
    shown = run(pipeline, *words)
    loaded = config.load(pipeline)
    (source,) = (source for source in loaded.extract.sources if source.name != "gmail-messages-sample")
    assert (source.name, source.type) == (add.KINDS[words[0]].name, type_)
    assert [mapping.transform for mapping in add._matching(loaded, source.name)] == ([transform] if transform else [])
    assert ("write a transform" in shown) == (transform is None)
    kept = pipeline.read_text().splitlines()
    assert [line for line in before.splitlines() if line not in kept] == [], "comments and layout stay"
    assert pipeline.stat().st_mode & 0o777 == 0o600


def test_a_meltano_project_is_created_once_and_then_only_shown(pipeline: Path) -> None:
    assert "was created" in run(pipeline, "gmail", "meltano-ingest")
    project = pipeline.parent / "meltano-ingest" / "meltano.yml"
    before = project.read_bytes()
    (tap, account), (loader,) = yaml.safe_load(before)["plugins"].values()
    assert tap["settings"][-1]["name"] == r"messages\.q"
    assert account == {"name": "gmail-messages-acct1", "inherit_from": "tap-gmail"}
    assert Path(loader["executable"]).is_file()
    assert "inherit_from: tap-gmail" in run(pipeline, "gmail", "meltano-ingest", "--name", "gmail-messages-work")
    assert project.read_bytes() == before
    argv = [str(BIN / "lorchestra"), "-C", str(pipeline.parent), "list", "sources"]
    listed = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert "no extractor gmail-messages-work" in listed.stdout
    assert "gmail-messages-acct1" in listed.stdout


def test_a_path_is_relative_to_the_current_directory(pipeline: Path) -> None:
    argv = [str(BIN / "lorchestra"), "add", "source", "files", "practice/inbox", "--config", "practice/pipeline.yaml"]
    subprocess.run(argv, check=True, cwd=pipeline.parent.parent, capture_output=True)
    assert config.load(pipeline).extract.sources[0].settings["inbox"] == str(pipeline.parent / "inbox")
    assert (pipeline.parent / "inbox").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sms", "x"], "there is no 'sms'"),
        (["mailbox"], "the following arguments are required: WHERE"),
        (["mailbox", "a", "b"], "takes one word, PATH"),
        (["mailbox", "a", "--name", "gmail-messages-sample"], "there is a source gmail-messages-sample already"),
        (["mailbox", "a", "--name", "../a"], "cannot name a source"),
        (["mailbox", "gs://bucket/mail"], "pipeline.yaml:14:9: `path` must be a path"),
        (["files", "phi-data"], "is the PHI directory itself"),
    ],
)
def test_a_wrong_source_changes_nothing(pipeline: Path, words: list[str], message: str) -> None:
    before = pipeline.read_bytes()
    assert message in run(pipeline, *words, status=2)
    assert pipeline.read_bytes() == before
    assert not list(pipeline.parent.glob(".pipeline*"))


def test_another_mapping_that_applies_already_is_reported(pipeline: Path) -> None:
    words = ("files", "inbox", "--name", "gmail-notes-a", "--transform", "contact/dataverse_contact_to_canonical_v1")
    shown = run(pipeline, *words)
    assert "the mapping '*gmail*.jsonl' already applies email/gmail_to_canonical_v1" in shown
    assert "mapped to" not in shown


def test_a_transform_must_exist(pipeline: Path) -> None:
    assert "email/none is not in" in run(pipeline, "files", "inbox", "--transform", "email/none", status=4)


def test_a_pipeline_in_flow_style_is_left_alone_and_the_lines_are_shown(project: Project) -> None:
    project.edit("mappings:\n", "mappings: []\n    x:\n")
    text = (project.root / "pipeline.yaml").read_text().partition("    x:\n")[0]
    project.configure(f"{text}  index: {{output_dir: phi-data/vector-store}}\n")
    shown = run(project.root / "pipeline.yaml", "mailbox", "takeout", status=2)
    assert "`stages.canonize.mappings` is not a block of lines" in shown
    assert "source_pattern" in shown
