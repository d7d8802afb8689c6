"""The license list is complete, and a license that is not allowed is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks import licenses


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", True),
        ("GPL-3.0-only", False),
        ("MIT AND AGPL-3.0-or-later", False),
        ("", False),
    ],
)
def test_licenses_are_judged(expression: str, allowed: bool) -> None:
    assert licenses.is_allowed(expression) is allowed


def test_the_list_is_current() -> None:
    assert list(licenses.faults()) == []


def test_a_missing_package_and_a_foreign_license_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = licenses.LIST.read_text()
    other = tmp_path / "requirements" / "licenses.md"
    other.parent.mkdir()
    other.write_text(text.replace("| doit | MIT |\n", ""))
    (other.parent / "run.txt").write_text((licenses.ROOT / "requirements" / "run.txt").read_text())
    monkeypatch.setattr(licenses, "ROOT", tmp_path)
    monkeypatch.setattr(licenses, "LIST", other)
    assert [fault for fault in licenses.faults() if "out of date" in fault]
    monkeypatch.setattr(licenses, "license_of", lambda package: "GPL-3.0-only" if package == "doit" else "MIT")
    assert "doit: GPL-3.0-only is not among the allowed licenses" in list(licenses.faults())
