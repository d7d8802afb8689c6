"""The benchmarks' harness: what it counts, what it compares, and the form of what it tells."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as page
from benchmarks import peers
from benchmarks.cost import Broken, Cost, measure, median
from benchmarks.tables import ratio, seconds, table
from benchmarks.workload import Workload

HOUSE = Path(__file__).resolve().parent.parent
TIME = re.compile(r"(≈ )?\d[\d,]*(\.\d+)? (ms|s)")


def test_the_orchestrator_is_compared_with_the_installed_peers(tmp_path: Path) -> None:
    for program in ("sh", "cat", "mv", "readlink", "make"):
        (tmp_path / program).symlink_to(shutil.which(program) or pytest.skip(f"{program} is not installed"))
    section = run("-m", "benchmarks.orchestrator", "--quick", PATH=str(tmp_path)).stdout
    assert "ninja was not found on this machine." in section
    times, least, goals = tables(section)
    assert times[0][:3] == ["", "lorchestra", "GNU make"]
    assert [row[0] for row in times[1:]] == [
        f"{what}, {unit}"
        for what in ("nothing changed", "one raw file changed", "first build of 2", "first build of 10")
        for unit in ("CPU", "wall")
    ]
    assert all(TIME.fullmatch(cell) for row in times[1:] + least[1:] for cell in row[1:])
    assert {row[2] for row in goals[1:]} <= {"yes", "no"}
    assert section.count("Missed: ") == sum(row[2] == "no" for row in goals[1:])


def test_an_unknown_benchmark_is_named() -> None:
    refused = run("-m", "benchmarks", "nonsense", status=2)
    assert "there is no benchmark nonsense; there are orchestrator" in refused.stderr


def test_time_is_counted_of_children_that_outlive_their_parent() -> None:
    spin = "import time\nwhile time.process_time() < 0.3: pass"
    leave = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {spin!r}])"
    script = (
        "import sys; from pathlib import Path; from benchmarks.cost import adopt_orphans, measure; adopt_orphans();"
        f"print(measure([sys.executable, '-c', {leave!r}], Path.cwd()).cpu)"
    )
    assert float(run("-c", script).stdout) > 0.3


def test_a_measured_program_that_fails_ends_the_benchmark_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(Broken, match=r"sh ended with status 3:\noops"):
        measure(["sh", "-c", "echo oops; exit 3"], tmp_path)


def test_a_program_that_runs_already_is_not_waited_for(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "600"]) as other:
        measure(["true"], tmp_path)
        assert other.poll() is None
        other.kill()


def test_a_peer_that_makes_something_else_is_not_compared(tmp_path: Path) -> None:
    work = Workload(tmp_path, days=1, records=1)
    peer = peers.Peer("make", ("make",), "4", lambda _work, _directory: None)
    tree = peers.Tree(peer, work, tmp_path / "make")
    work.canonical.mkdir(parents=True)
    for directory in (work.canonical, tmp_path / "make/canonical"):
        (directory / "email-20190101.jsonl").write_bytes(b"{}\n")
    tree.compare(work.dates)
    (work.canonical / "email-20190101.jsonl").write_bytes(b"{} \n")
    with pytest.raises(Broken, match=r"make made another email-20190101\.jsonl than lorchestra"):
        tree.compare(work.dates)


def test_renewing_a_section_leaves_the_others_as_they_are() -> None:
    sections = {name: f"## {name}\n\ntext\n" for name in page.NAMES}
    assert page._sections(page._page(sections)) == sections
    renewed = page._page(page._sections(page._page(sections)) | {"orchestrator": "new\n"})
    assert page._sections(renewed) == sections | {"orchestrator": "new\n"}


def test_medians_are_taken_of_cpu_and_wall_each_by_itself() -> None:
    assert median([Cost(1, 9), Cost(3, 8), Cost(2, 1)]) == Cost(2, 8)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.00123, "1.23 ms"),
        (0.0412, "41.2 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.00 s"),
        (33.33, "33.3 s"),
        (1040, "1,040 s"),
    ],
)
def test_seconds_have_three_digits(value: float, text: str) -> None:
    assert seconds(value) == text


def test_tables_and_ratios() -> None:
    assert table(["", "a"], [["b", "1"]]) == "|  | a |\n| --- | ---: |\n| b | 1 |\n"
    assert (ratio(3.44), ratio(56.7)) == ("3.4", "57")


def run(*arguments: str, status: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    finished = subprocess.run(
        [sys.executable, *arguments],
        cwd=HOUSE,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert finished.returncode == status, finished.stderr
    return finished


def tables(text: str) -> list[list[list[str]]]:
    found = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    rows = [[line.strip("|\n").split("|") for line in block.splitlines()] for block in found]
    return [[[cell.strip() for cell in row] for at, row in enumerate(block) if at != 1] for block in rows]
