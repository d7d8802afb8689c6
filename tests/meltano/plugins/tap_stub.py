"""A Singer tap of the standard library alone, for tests: its "server" is a file of records, and it fails as planned.

server.jsonl   the records, each with `id` and, growing, `n`
plan           one word a start, taken from the front: what goes wrong in this run; empty: nothing

ok            all records after the bookmark, then the bookmark
auth          the server refuses the credentials
early         dies after half of the records, before the bookmark is told
late          dies after the bookmark was told
stuck         tells half of the records and the bookmark for them, then ignores SIGTERM and hangs
kill          ends its own Meltano by SIGKILL, with half of the records told
slow          waits between the records
streams       sends a second stream, of stubs with the same ids
killed        is killed by SIGKILL after half of the records
torn          dies in the middle of a message
garbage       sends a line that is not JSON after half of the records
batch         sends a BATCH message after half of the records
unknown       sends a message of an unknown type after half of the records
repeat        sends every record twice
stateless     sends all records and no bookmark
status        ends with status 77 after half of the records
undiscovered  cannot tell its streams
null          sends a record that is null after half of the records
shoot:WHO:N   kills tap, loader, meltano or lorchestra before the record N; sends a bookmark after every fourth record
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

STREAM = "messages"


def tell(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def option(name: str) -> dict[str, Any]:
    if name not in sys.argv:
        return {}
    loaded: dict[str, Any] = json.loads(Path(sys.argv[sys.argv.index(name) + 1]).read_text())
    return loaded


def next_in(plan: Path) -> str:
    words = plan.read_text().split() if plan.exists() else []
    plan.write_text(" ".join(words[1:]))
    return words[0] if words else "ok"


def catalog() -> dict[str, Any]:
    schema = {"type": "object", "properties": {"id": {"type": "string"}, "n": {"type": "integer"}}}
    entry = {"tap_stream_id": STREAM, "stream": STREAM, "schema": schema, "key_properties": ["id"], "metadata": []}
    return {"streams": [entry]}


def discover(plan: Path) -> None:
    if plan.exists() and plan.read_text().startswith("undiscovered"):
        sys.exit("cannot discover")
    print(json.dumps(catalog()))


def main() -> None:
    config = option("--config")
    if "--discover" in sys.argv:
        discover(Path(config["plan"]))
        return
    server, what = Path(config["server"]), next_in(Path(config["plan"]))
    since = option("--state").get("bookmarks", {}).get(STREAM, int(config.get("since", {}).get("number") or 0))
    records = [json.loads(line) for line in server.read_text().splitlines()]
    records = [record for record in records if record["n"] > since]
    if what == "auth":
        sys.exit(f"401 for token {config['token']}")
    tell({"type": "SCHEMA", "stream": STREAM, "schema": catalog()["streams"][0]["schema"], "key_properties": ["id"]})
    half = len(records) // 2
    for record in records[:half]:
        tell_record(record, what)
    if what == "early":
        sys.exit(f"died of {records[half]}")
    break_off(what, records[half:])
    if what == "stuck":
        tell_state(records[half - 1]["n"])
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(1)
    for record in records[half:] + (records if what == "repeat" else []):
        tell_record(record, what)
    if what == "streams":
        tell_second_stream(records)
    if records and what != "stateless":
        tell_state(records[-1]["n"])
    if what == "late":
        time.sleep(0.5)  # so that Meltano has saved the bookmark
        sys.exit(f"died of {records[-1]}")


def break_off(what: str, rest: list[dict[str, Any]]) -> None:
    """The faults in the middle of the records."""
    lines = {
        "garbage": "not JSON\n",
        "batch": json.dumps({"type": "BATCH", "stream": STREAM, "manifest": []}) + "\n",
        "unknown": json.dumps({"type": "WHATEVER", "stream": STREAM}) + "\n",
        "null": json.dumps({"type": "RECORD", "stream": STREAM, "record": None}) + "\n",
        "torn": json.dumps({"type": "RECORD", "stream": STREAM, "record": rest[0]})[:-20] if rest else "",
    }
    sys.stdout.write(lines.get(what, ""))
    sys.stdout.flush()
    if what == "kill":
        time.sleep(0.5)  # so that the target has written what it was told
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
    if what == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if what in ("torn", "status"):
        sys.exit(77)


def tell_second_stream(records: list[dict[str, Any]]) -> None:
    tell({"type": "SCHEMA", "stream": "message_list", "schema": {"type": "object"}, "key_properties": ["id"]})
    for record in records:
        tell({"type": "RECORD", "stream": "message_list", "record": {"id": record["id"]}})
        tell_metric({"endpoint": "message_list"})


def shoot(victim: str) -> None:
    meltano = os.getppid()
    loaders = [pid for pid in processes() if parent(pid) == meltano and pid != os.getpid()]
    pids = {"tap": os.getpid(), "meltano": meltano, "lorchestra": parent(meltano), "loader": (loaders or [0])[-1]}
    os.kill(pids[victim], signal.SIGKILL)
    time.sleep(0.2)


def processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def parent(pid: int) -> int:
    try:
        return int((Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def tell_record(record: dict[str, Any], what: str) -> None:
    word, _, aim = what.partition(":")
    if word == "shoot":
        victim, _, number = aim.partition(":")
        if record["n"] == int(number):
            shoot(victim)
        if record["n"] % 4 == 0:
            tell_state(record["n"] - 1)
    tell({"type": "RECORD", "stream": STREAM, "record": record})
    tell_metric({"stream": STREAM})
    print(f"told {record}", file=sys.stderr, flush=True)
    if what == "slow":
        time.sleep(0.3)


def tell_metric(tags: dict[str, str]) -> None:
    metric = {"type": "counter", "metric": "record_count", "value": 1, "tags": tags}
    print(f"INFO METRIC: {json.dumps(metric)}", file=sys.stderr, flush=True)


def tell_state(bookmark: int) -> None:
    tell({"type": "STATE", "value": {"bookmarks": {STREAM: bookmark}}})


if __name__ == "__main__":
    main()
