"""A few faults are injected in every test session; all of them, which takes an hour, only when asked for."""

from __future__ import annotations

import os

if not os.environ.get("LORCHESTRA_FAULTS"):
    collect_ignore_glob = ["test_projector.py", "test_disks.py"]
