"""A worker as docs/contracts.md describes one: a JSON job a line in, a JSON result a line out. Jobs say how to behave.

`{"id": …, "do": "answer"}` and so on; see `BEHAVIOURS`. It is started with the name of a file in which each start
leaves a line.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

Job = dict[str, Any]


def say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def answer(job: Job) -> None:
    say(json.dumps({"id": job["id"], "status": "ok", "pid": os.getpid(), "length": len(job.get("text", ""))}) + "\n")


def with_progress(job: Job) -> None:
    for counts in job["progress_lines"]:
        say(json.dumps({"id": job["id"], "progress": counts}) + "\n")
    answer(job)


def slowly(job: Job) -> None:
    text = json.dumps({"id": job["id"], "status": "ok"}) + "\n"
    for at in range(0, len(text), 5):
        say(text[at : at + 5])
        time.sleep(0.01)


def die(job: Job) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_and_leave_a_child(job: Job) -> None:
    child = subprocess.Popen(["sleep", "60"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    with open(job["pids"], "w") as file:
        file.write(str(child.pid))
    os._exit(1)


def answer_and_die(job: Job) -> None:
    answer(job)
    os._exit(0)


def twice(job: Job) -> None:
    text = json.dumps({"id": job["id"], "status": "ok"}) + "\n"
    say(text + text)


def not_utf8(job: Job) -> None:
    sys.stdout.buffer.write(b'{"id": "\xff"}\n')
    sys.stdout.flush()


def complain(job: Job) -> None:
    sys.stderr.write("to the log alone\n")
    answer(job)


def deaf(job: Job) -> None:
    """Answer, then read nothing more."""
    answer(job)
    time.sleep(60)


BEHAVIOURS: dict[str, Callable[[Job], None]] = {
    "answer": answer,
    "with progress": with_progress,
    "slowly": slowly,
    "complain": complain,
    "hang": lambda job: time.sleep(60),
    "deaf": deaf,
    "die": die,
    "die and leave a child": die_and_leave_a_child,
    "answer and die": answer_and_die,
    "garbage": lambda job: say("Canary7f3a is not JSON\n"),
    "no object": lambda job: say("[1]\n"),
    "deep": lambda job: say("[" * 100_000 + "\n"),
    "not UTF-8": not_utf8,
    "2 MB": lambda job: say("x" * 2_000_000 + "\n"),
    "2 MB without an end": lambda job: say("x" * 2_000_000),
    "wrong id": lambda job: say('{"id": "other", "status": "ok"}\n'),
    "twice": twice,
    "empty line": lambda job: say("\n"),
}

if __name__ == "__main__":
    with open(sys.argv[1], "a") as starts:
        starts.write(f"{os.getpid()}\n")
    for line in sys.stdin:
        job = json.loads(line)
        BEHAVIOURS[job["do"]](job)
    with open(sys.argv[1], "a") as starts:
        starts.write("ended at the end of its input\n")
