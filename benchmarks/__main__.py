"""`python -m benchmarks`: run all benchmarks, or those that are named, and write benchmarks/README.md."""

from __future__ import annotations

import argparse
import os
import platform
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
README = HERE / "README.md"
NAMES = tuple(name for name in ("orchestrator", "canonizer", "projector") if (HERE / f"{name}.py").exists())
_INTRO = """\
# Benchmarks

lorchestra's programs compared with alternatives on the same work. `make bench` runs everything and writes this page;
`python -m benchmarks NAME` updates one section. The programs run in turn, so that a noisy minute affects all of them.
Figures are medians. Before programs are compared, their results are checked to be equal. Goals that were missed stay
listed, with the reason. All data is synthetic.
"""


def main() -> int:
    """Run benchmarks one after the other; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"all where none is named: {', '.join(NAMES)}")
    names = parser.parse_args().names or NAMES
    if unknown := sorted(set(names) - set(NAMES)):
        parser.error(f"there is no benchmark {unknown[0]}; there are {', '.join(NAMES)}")
    # Ctrl-C reaches the benchmark that runs, which then cleans up; its status tells us.
    signal.signal(signal.SIGINT, lambda _number, _frame: None)
    for name in names:
        sys.stderr.write(f"{name}\n")
        load = os.getloadavg()[2]
        measured = _run(name)
        if measured.returncode:
            sys.stderr.write(f"{name} ended with status {measured.returncode}; its section stays as it was\n")
            return measured.returncode
        page = README.read_text() if README.exists() else ""
        README.write_text(_page(_sections(page) | {name: f"{measured.stdout.strip()}\n\n{_machine(load)}\n"}))
    return 0


def _run(name: str) -> subprocess.CompletedProcess[str]:
    program = f"import sys; from benchmarks import {name}\ntry: {name}.main()\nexcept KeyboardInterrupt: sys.exit(130)"
    return subprocess.run([sys.executable, "-c", program], check=False, stdout=subprocess.PIPE, text=True)


def _page(sections: dict[str, str]) -> str:
    kept = [f"<!-- {name} -->\n{sections[name]}" for name in NAMES if name in sections]
    return "\n".join((_INTRO, *kept))


def _sections(page: str) -> dict[str, str]:
    parts = re.split(r"^<!-- ([a-z]+) -->\n", page, flags=re.MULTILINE)
    return {name: text.strip() + "\n" for name, text in zip(parts[1::2], parts[2::2], strict=True)}


def _machine(load: float) -> str:
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    cores = len(os.sched_getaffinity(0))
    return (
        f"*{datetime.now(UTC):%Y-%m-%d}: {model[1] if model else platform.machine()}, {cores} cores, "
        f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}, Python {platform.python_version()}, "
        f"load {load:.1f} before and {os.getloadavg()[2]:.1f} after*"
    )


if __name__ == "__main__":
    sys.exit(main())
