"""The band around what is usual, and the alerts that depend on it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lorchestra.dashboard import alerts
from lorchestra.history import trends

DAY = datetime(2025, 1, 1, 6, tzinfo=UTC)


def test_a_value_far_from_the_others_is_outside() -> None:
    values = [(str(day), float(100 + day % 3)) for day in range(20)] + [("20", 900.0)]
    found = trends.series("records", "records", values)
    assert [point.value for point in found.outside] == [900.0]
    assert found.median == 101


def test_few_values_have_no_band() -> None:
    assert trends.series("x", "x", [("1", 1.0), ("2", 50.0)]).outside == []
    assert trends.series("x", "x", []).points == ()


def test_equal_values_allow_a_little_more() -> None:
    values = [(str(day), 100.0) for day in range(9)]
    assert trends.series("x", "x", [*values, ("9", 110.0)]).outside == []
    assert trends.series("x", "x", [*values, ("9", 130.0)]).outside


def test_a_silent_source_is_an_alert_and_a_slow_one_is_not() -> None:
    daily = [((DAY + timedelta(days=day)).isoformat(), 5) for day in range(10)]
    now = DAY + timedelta(days=14)
    [alert] = alerts.of_sources({"a-b-c": daily, "d-e-f": [(moment, 0) for moment, _ in daily]}, now)
    assert alert.text == "a-b-c delivered nothing for 5 days; every 1 day is usual."
    assert not list(alerts.of_sources({"a-b-c": daily}, DAY + timedelta(days=11)))


def test_a_jump_of_the_rejected_share_is_an_alert() -> None:
    def run(number: int, rejected: int) -> dict[str, object]:
        counts = {"records_in": 100, "rejected": rejected}
        stages = {"canonize": {"counts": counts}}
        return {"run_id": f"{number}", "began": "2025-01-01", "status": "SUCCESS", "stages": stages}

    [alert] = alerts.of_runs([*(run(number, 2) for number in range(6)), run(7, 40)])
    assert alert.text == "40% of the records were rejected; usually 2%"
    assert not list(alerts.of_runs([*(run(number, 2) for number in range(6)), run(7, 5)]))
