"""A canonizer that keeps the contract, beside somebody who appends to each first input when its job is done."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

CAN = Path(sys.executable).with_name("can")


def main() -> None:
    """Hand each job on to the real program, append the last line of its first input once more, then answer."""
    if sys.argv[1:] == ["--version"]:
        os.execv(CAN, [str(CAN), "--version"])  # jobs require the version they were planned for
    for line in sys.stdin:
        answer = subprocess.run([CAN, "serve"], input=line, stdout=subprocess.PIPE, text=True, check=True).stdout
        raw = Path(json.loads(line)["inputs"][0]["path"])
        record = json.loads(raw.read_bytes().splitlines()[-1])
        with raw.open("ab") as file:
            file.write(json.dumps(record | {"id": "appended"}).encode() + b"\n")
        sys.stdout.write(answer)
        sys.stdout.flush()


if __name__ == "__main__":
    main()
