"""Numbers and times as people read them."""

from __future__ import annotations

import time

import pytest

from lorchestra.base.wording import counted, local_time


@pytest.mark.parametrize(("count", "shown"), [(0, "0 files"), (1, "1 file"), (1200, "1,200 files")])
def test_a_count_agrees_with_its_noun(count: int, shown: str) -> None:
    assert counted(count, "file") == shown


def test_a_time_is_shown_in_the_local_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        assert local_time("2025-11-12T10:30:45Z") == "2025-11-12 11:30:45 CET"
    finally:
        monkeypatch.undo()
        time.tzset()
