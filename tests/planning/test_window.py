"""Time windows and the templates with which sources are told of them."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from lorchestra.planning import window
from lorchestra.planning.window import Window

START = datetime(2025, 11, 1, 23, 30, tzinfo=UTC)
END = datetime(2025, 11, 8, tzinfo=UTC)


@pytest.fixture(autouse=True)
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("template", "closed", "open_"),
    [
        ("after:{from:%Y/%m/%d}[ before:{to:%Y/%m/%d}]", "after:2025/11/02 before:2025/11/08", "after:2025/11/02"),
        ("{from_utc}", "2025-11-01T23:30:00Z", "2025-11-01T23:30:00Z"),
        ("{from}", "2025-11-02T00:30:00+01:00", "2025-11-02T00:30:00+01:00"),
        ("x ge {from_utc:%Y-%m-%d}[ and x lt {to_utc}]", "x ge 2025-11-01 and x lt 2025-11-08T00:00:00Z",
         "x ge 2025-11-01"),
        ("{from:%s}", "1762039800", "1762039800"),
    ],
)  # fmt: skip
def test_a_template_is_filled(template: str, closed: str, open_: str) -> None:
    assert Window(START, END).fill({"Q": template}) == {"Q": closed}
    assert Window(START).fill({"Q": template}) == {"Q": open_}
    assert Window(full_refresh=True).fill({"Q": template}) == {}


def test_dates_are_local_and_an_end_includes_its_day() -> None:
    assert window.begin("2025-11-01").isoformat() == "2025-11-01T00:00:00+01:00"
    assert window.begin("20251101") == window.begin("2025-11-01")
    assert window.end("2025-11-07").isoformat() == "2025-11-08T00:00:00+01:00"
    assert window.end("2025-11-07T12:00:00Z") == datetime(2025, 11, 7, 12, tzinfo=UTC)
    for text, age in (("36h", timedelta(hours=36)), ("7d", timedelta(days=7)), ("2w", timedelta(weeks=2))):
        assert abs(datetime.now(UTC) - age - window.last(text)) < timedelta(minutes=1)


@pytest.mark.parametrize("text", ["", "7", "d", "0d", "-7d", "7 d", "7m", "١d", "99999999d", "yesterday", "2025-13-01"])
def test_other_texts_are_refused(text: str) -> None:
    for read in (window.last, window.begin, window.end):
        with pytest.raises(argparse.ArgumentTypeError):
            read(text)
