"""Faults are injected only when they are asked for: they take minutes, strace and a Linux kernel."""

from __future__ import annotations

import os

if not os.environ.get("LORCHESTRA_FAULTS"):
    collect_ignore_glob = ["test_*.py"]
