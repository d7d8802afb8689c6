"""`python -m checks.vulnerabilities`: known vulnerabilities of the locked packages, from pip-audit.

pip-audit asks a service on the internet, so it is not among the locked packages. Where it is not installed, or the
service cannot be reached, this says so and does not fail.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

_LOCKED = Path(__file__).parents[1] / "requirements" / "run.txt"
_FOUND = 1  # pip-audit's exit status for vulnerabilities, and for errors; only the former print a table
_TIME_LIMIT_SECONDS = 60


def main() -> int:
    """Check; return 1 if a package has a known vulnerability."""
    program = shutil.which("pip-audit", path=f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin")
    if program is None:
        print("vulnerabilities: skipped, pip-audit is not installed")
        return 0
    command = [program, "--disable-pip", "--require-hashes", "--progress-spinner", "off", "-r", str(_LOCKED)]
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIME_LIMIT_SECONDS, stdin=subprocess.DEVNULL, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        print("vulnerabilities: skipped, pip-audit gave no answer")
        return 0
    if ended.returncode == _FOUND and ended.stdout.startswith("Name"):
        print(ended.stdout)
        return 1
    print("vulnerabilities: none known" if ended.returncode == 0 else "vulnerabilities: skipped, no data")
    return 0


if __name__ == "__main__":
    sys.exit(main())
