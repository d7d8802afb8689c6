"""Whatever fails, at whatever system call of a run: one more run gives the same bytes, and nothing is left behind.

`make test` checks a few points, `make test-faults` all of them and prints the figures. Points are spread evenly over
the calls that the run makes; a fault hits the program itself, or also the same call of every process that it starts.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.faults import pipeline, strace
from tests.faults.pipeline import PROGRAMS, Scenario

pytestmark = pytest.mark.skipif(not strace.available(), reason="strace is missing or may not trace")

ALL = bool(os.environ.get("LORCHESTRA_FAULTS"))
CHANGES = ("write", "pwrite64", "fsync", "fdatasync", "ftruncate", "rename", "mkdir", "unlink")
FAULTS = {
    "kill": ("signal=SIGKILL", strace.WRITING, 36, False),
    "kill all": ("signal=SIGKILL", CHANGES, 28, True),
    "ENOSPC": ("error=ENOSPC", CHANGES[:-1], 30, True),
    "EIO": ("error=EIO", CHANGES, 30, True),
}
"""By kind: strace's words for it, the calls that fail, how many points for each program and state, and whether the
programs that the run starts get the fault, too."""
SAMPLE = {("kill", "lorchestra run", False): 2, ("EIO", "doit -n 2", False): 1}
CASES = [(kind, program, incremental) for kind in FAULTS for program in PROGRAMS for incremental in (False, True)]


@pytest.mark.parametrize(
    ("kind", "program", "incremental"),
    [
        pytest.param(*case, id=f"{case[0]}, {case[1]}, {'incremental' if case[2] else 'fresh'}")
        for case in CASES
        if ALL or case in SAMPLE
    ],
)
def test_one_more_run_repairs_everything(tmp_path: Path, kind: str, program: str, incremental: bool) -> None:
    scenario = Scenario(tmp_path, incremental=incremental)
    fault, calls, points, follow = FAULTS[kind]
    points = points if ALL else SAMPLE[kind, program, incremental]
    chosen = spread(scenario, PROGRAMS[program], calls, points, follow)
    statuses, wrong = Counter[int](), []
    for call, number in chosen:
        project = scenario.fresh()
        when = f"{number}+" if kind == "ENOSPC" else str(number)  # a full disk stays full
        faulty = pipeline.run(project, PROGRAMS[program], strace.injection(call, fault, when, follow=follow))
        statuses[faulty.returncode] += 1
        wrong += [
            f"{call} {number}: {fault}"
            for fault in pipeline.check(project, faulty, PROGRAMS[program], scenario.expected)
        ]
    print(f"{kind}, {program}: {len(chosen)} points, exit statuses {dict(statuses)}, {len(wrong)} violations")
    assert wrong == []


def spread(
    scenario: Scenario, program: Sequence[str], calls: Sequence[str], points: int, follow: bool
) -> list[tuple[str, int]]:
    """So many (call, number), evenly over the calls of the process that makes most of them."""
    log = scenario.root / "trace"
    pipeline.run(scenario.fresh(), program, strace.tracing(calls, log, follow=follow))
    counts = strace.per_process(log)
    # Most of the files that are opened are Python's own; every tenth of these moments is enough.
    steps = {"openat": 10, "close": 10}
    every = [(call, n) for call in calls for n in range(1, counts[call] + 1, steps.get(call, 1))]
    step = len(every) / points
    return [every[int(step * (at + 0.5))] for at in range(points)]
