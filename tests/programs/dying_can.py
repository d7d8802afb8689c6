"""A canonizer that dies of every job for email-20251110, or with `once` of the first one, and hands the others on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

CAN = Path(sys.executable).with_name("can")


def main() -> None:
    """Answer like `can serve`, but for one job."""
    if "--version" in sys.argv:
        os.execv(CAN, [str(CAN), "--version"])  # jobs require the version they were planned for
    for line in sys.stdin:
        job = json.loads(line)
        died = Path(job["output"]).parent.parent / ".work" / "died"
        if job["id"] == "email-20251110" and not ("once" in sys.argv and died.exists()):
            died.touch(mode=0o600)
            os._exit(1)
        sys.stdout.write(
            subprocess.run([CAN, "serve"], input=line, stdout=subprocess.PIPE, text=True, check=True).stdout
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
