"""The configuration file: every fault at once, with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from lorchestra.base.errors import ConfigFailure, Failure
from lorchestra.components.projector import config
from tests.components.projector.harness import Bench, email


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("store: ./store\nschemas: schemas\non_change: {contact: skip}\nfull_text: false\n")
    loaded = config.load(path)
    assert (loaded.store, loaded.schemas) == (tmp_path / "store", tmp_path / "schemas")
    assert (loaded.policy("contact"), loaded.policy("email"), loaded.full_text) == ("skip", "revise", False)


def test_an_empty_file_is_the_default(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("")
    assert config.load(path) == config.Config()


def test_all_errors_are_reported_at_once(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("stores: x\nschemas: 7\nfull_text: maybe\non_change:\n  Email: skip\n  contact: never\n")
    with pytest.raises(ConfigFailure) as caught:
        config.load(path)
    assert [line.removeprefix(f"{path}:") for line in caught.value.message.split("\n")] == [
        "1:1: unknown key `stores`; did you mean `store`?",
        "2:1: `schemas` must be text in quotes",
        "3:1: `full_text` must be true or false",
        "5:3: is not a valid type name",
        "6:3: `contact` must be one of revise, skip",
    ]


@pytest.mark.parametrize("text", ["- a\n", "on_change: 3\n", "store: ''\n", "zzz: 1\n", "store: &a x\n", "a: [\n"])
def test_whatever_is_wrong_is_a_failure_of_the_configuration(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigFailure):
        config.load(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Failure) as caught:
        config.load(tmp_path / "config.yaml")
    assert caught.value.exit == 2


def test_the_command_line_wins(bench: Bench) -> None:
    path = bench.root / "config.yaml"
    path.write_text("store: elsewhere\nschemas: schemas\n")
    bench.canonical("email-20251101.jsonl", [email(1)])
    ended = bench.run("pull", "--input", bench.input, "--config", path)
    assert ended.returncode == 0
    assert not (bench.root / "elsewhere").exists()
    assert len(bench.objects()) == 1
