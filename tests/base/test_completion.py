"""Completion scripts: each program prints one for each shell, and bash, zsh and fish accept it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from lorchestra.base.completion import SHELLS
from tests.harness import BIN

PROGRAMS = ("lorchestra", "can", "vector-projector", "lorchestra-sample", "lorchestra-mailbox", "target-lorchestra")


def script(program: str, shell: str) -> str:
    """The script that a program prints."""
    return subprocess.run([BIN / program, "--completion", shell], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_shell_accepts_the_script(program: str, shell: str, tmp_path: Path) -> None:
    text = script(program, shell)
    assert program in text
    if interpreter := shutil.which(shell):
        (tmp_path / "script").write_text(text)
        done = subprocess.run([interpreter, "-n", tmp_path / "script"], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "proposed"),
    [
        (["lorchestra", "st"], {"status"}),
        (["lorchestra", "run", "--sta"], {"--stage"}),
        (["lorchestra", "run", "--stage", "ca"], {"canonize"}),
        (["can", "transform", "t"], {"test", "try"}),
        (["can", "transform", "run", "--max"], {"--max-rejects"}),
        (["vector-projector", "search", "--ra"], {"--rank", "--raw"}),
        (["lorchestra-sample", "gmail"], {"gmail-messages"}),
    ],
)
def test_bash_completes_commands_options_and_choices(words: list[str], proposed: set[str], tmp_path: Path) -> None:
    (tmp_path / "script").write_text(script(words[0], "bash"))
    complete = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
    complete += (
        'spec=$(complete -p "$1"); "$(sed "s/.*-F \\([^ ]*\\) .*/\\1/" <<< "$spec")"; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    argv = ["bash", "-c", complete, "bash", str(tmp_path / "script"), *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert {line.strip() for line in done.stdout.splitlines() if line.strip()} == proposed, done.stderr


def test_an_unknown_shell_is_refused() -> None:
    done = subprocess.run([BIN / "lorchestra", "--completion", "bsh"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "did you mean bash?" in done.stderr
