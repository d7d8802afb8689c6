"""Stands between Meltano and a loader, for tests: `faulty_loader.py PLAN LOADER...` lets one thing go wrong.

PLAN holds one word for the next run; without one, the loader runs undisturbed.

lose         drops the third record
die          kills the loader before the fourth record
refuse       ends with status 1 at once
false_state  prints STATE and kills the loader before it has written anything more
stop         ends the loader's input before the fourth record and succeeds
mute         drops every STATE
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


def main() -> int:
    plan, *loader = sys.argv[1:]
    fault = Path(plan).read_text() if Path(plan).exists() else ""
    Path(plan).write_text("")
    if not fault:
        os.execv(loader[0], loader)
    if fault == "refuse":
        return 1
    child = subprocess.Popen(loader, stdin=subprocess.PIPE)
    assert child.stdin
    records = 0
    for line in sys.stdin.buffer:
        kind = json.loads(line)["type"]
        records += kind == "RECORD"
        if fault in ("die", "stop") and records == 4:
            break
        if fault == "false_state" and kind == "STATE":
            print(json.dumps(json.loads(line)["value"]), flush=True)
            break
        if not (fault == "lose" and kind == "RECORD" and records == 3) and not (fault == "mute" and kind == "STATE"):
            child.stdin.write(line)
            child.stdin.flush()
    if fault in ("die", "false_state"):
        child.kill()
        child.wait()
        return 1
    child.stdin.close()
    return child.wait()


if __name__ == "__main__":
    sys.exit(main())
