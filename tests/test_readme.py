"""README.md agrees with the programs: its transcripts are real, its configuration loads, its links lead somewhere.

`python -m tests.test_readme` updates the transcripts.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from lorchestra.planning import config
from tests.harness import BIN, ROOT

README = ROOT / "README.md"
ORDER = ("first", "second", "search")
"""The order in which the commands run; the page shows the second run first."""
TRANSCRIPT = re.compile(r"<!-- transcript: (\w+) -->\n```console\n\$ (.+)\n((?:.*\n)*?)```\n")


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demonstration in a new directory, with the environment of the tests."""
    return lay_out(tmp_path_factory.mktemp("readme") / "lorchestra")


def lay_out(place: Path) -> Path:
    """Copy what the demonstration needs from a clone."""
    place.mkdir(mode=0o755)
    for name in ("dodo.py", "pyproject.toml", "pipeline.yaml"):
        shutil.copy2(ROOT / name, place / name)
    shutil.copytree(ROOT / "transforms", place / "transforms")
    (place / ".venv").symlink_to(BIN.parent)
    return place


def transcripts() -> dict[str, tuple[str, str]]:
    """Command and output by name, as README.md shows them."""
    return {name: (command, output) for name, command, output in TRANSCRIPT.findall(README.read_text())}


def masked(text: str) -> list[str]:
    """The sorted lines without what differs between runs: seconds and the path of the environment."""
    text = re.sub(r"\d+\.\d$", "S.S", text, flags=re.MULTILINE).replace(str(BIN), ".venv/bin")
    text = re.sub(r"(\.\./)*[^ ]*\.venv/bin/", ".venv/bin/", text)
    return sorted(line.rstrip() for line in text.splitlines())


def test_the_transcripts_are_what_the_program_prints(demonstration: Path) -> None:
    shown = transcripts()
    assert sorted(shown) == sorted(ORDER)
    for name in ORDER:
        command, output = shown[name]
        run = subprocess.run(command, shell=True, cwd=demonstration, capture_output=True, text=True, check=True)
        assert masked(run.stdout) == masked(output), name


def test_the_configuration_it_shows_is_valid(tmp_path: Path) -> None:
    (shown,) = re.findall(r"```yaml\n(.*?)```", README.read_text(), re.DOTALL)
    path = tmp_path / "pipeline.yaml"
    path.write_text(shown)
    loaded = config.load(path, {"PHI": str(tmp_path / "phi")})
    assert {source.type for source in loaded.extract.sources} == {"meltano", "command", "files", "mailbox"}


def test_every_link_has_a_target() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README.read_text()):
        assert (ROOT / target).exists(), target


def test_the_make_targets_it_names_exist() -> None:
    named = set(re.findall(r"(?:\$ |`|&& )make ([a-z-]+)", README.read_text()))
    rules = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert named <= rules, named - rules


def test_every_program_it_names_has_help() -> None:
    for program in ("lorchestra", "can", "vector-projector", "lorchestra-sample"):
        assert subprocess.run([BIN / program, "--help"], capture_output=True, text=True, check=True).stdout


def write() -> None:
    """Run the commands of the transcripts and write what they print."""
    with tempfile.TemporaryDirectory() as directory:
        place = lay_out(Path(directory) / "lorchestra")
        text = README.read_text()
        for name in ORDER:
            command, _ = transcripts()[name]
            run = subprocess.run(command, shell=True, cwd=place, capture_output=True, text=True, check=True)
            output = re.sub(r"[^ ]*\.venv/bin/", ".venv/bin/", run.stdout)
            shown = f"<!-- transcript: {name} -->\n```console\n$ {command}\n"
            before, _, after = text.partition(shown)
            text = before + shown + output + after[after.index("```\n") :]
        README.write_text(text)


if __name__ == "__main__":
    write()
