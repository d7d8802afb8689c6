"""A Singer target of the standard library alone, for tests.

It loses records with `lost`, and writes all streams into LORCHESTRA_TEST_FILE if that is set. Otherwise it writes as
target-jsonl 0.1.4 does: the file is opened for each record, appended to, never synced, and a record that its schema
does not allow ends it with the value in the message.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path


def main() -> None:
    config = json.loads(Path(sys.argv[sys.argv.index("--config") + 1]).read_text())
    destination = Path(os.environ.get("LORCHESTRA_TEST_DESTINATION", config["destination_path"]))
    for line in sys.stdin:
        message = json.loads(line)
        if message["type"] == "RECORD":
            if message["record"].get("lost"):
                continue
            name = config.get("custom_name") or message["stream"]
            if not isinstance(message["record"]["id"], str):
                sys.exit(f"{message['record']} is not valid")
            with (destination / os.environ.get("LORCHESTRA_TEST_FILE", f"{name}.jsonl")).open("a") as file:
                file.write(json.dumps(message["record"]) + "\n")
        elif message["type"] == "STATE":
            print(json.dumps(message["value"]), flush=True)


if __name__ == "__main__":
    main()
