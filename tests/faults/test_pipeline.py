"""Whatever fails, at whatever system call of a run: one more run gives the same bytes, and nothing is left behind.

`make test` checks a few points, `make test-faults` all of them and prints the figures. Points are spread evenly over
the calls that the run makes; each point fails the same call of every process that the run starts.
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
FAULTS = {
    "kill": ("signal=SIGKILL", strace.WRITING, 64),
    "ENOSPC": ("error=ENOSPC", ("write", "pwrite64", "fsync", "fdatasync", "ftruncate", "rename", "mkdir"), 30),
    "EIO": ("error=EIO", ("write", "pwrite64", "fsync", "fdatasync", "ftruncate", "rename", "mkdir", "unlink"), 30),
}
"""By kind: strace's words for it, the calls that fail, and how many points for each program and state."""
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
    fault, calls, points = FAULTS[kind]
    chosen = spread(scenario, PROGRAMS[program], calls, points if ALL else SAMPLE[kind, program, incremental])
    statuses, wrong = Counter[int](), []
    for call, number in chosen:
        project = scenario.fresh()
        when = f"{number}+" if kind == "ENOSPC" else str(number)  # a full disk stays full
        faulty = pipeline.run(project, PROGRAMS[program], strace.injection(call, fault, when))
        statuses[faulty.returncode] += 1
        wrong += [
            f"{call} {number}: {fault}"
            for fault in pipeline.check(project, faulty, PROGRAMS[program], scenario.expected)
        ]
    print(f"{kind}, {program}: {len(chosen)} points, exit statuses {dict(statuses)}, {len(wrong)} violations")
    assert wrong == []


def spread(scenario: Scenario, program: Sequence[str], calls: Sequence[str], points: int) -> list[tuple[str, int]]:
    """About so many (call, number), evenly over all the calls of the process that makes most of them."""
    log = scenario.root / "trace"
    trace = ["strace", "-f", "-qq", "--seccomp-bpf", "-o", str(log), "-e", f"trace={','.join(calls)}"]
    pipeline.run(scenario.fresh(), program, trace)
    counts = strace.per_process(log)
    start = 200 if "openat" in calls else 0  # before that, Python reads its own files
    every = [(call, n) for call in calls for n in range(1 + start * (call in ("openat", "close")), counts[call] + 1)]
    step = len(every) / points
    return [every[int(step * (at + 0.5))] for at in range(points)]
