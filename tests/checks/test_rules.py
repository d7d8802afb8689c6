"""Each of our own rules finds what it forbids, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks import rules

BROKEN = {
    "exception-text": [
        "try: x()\nexcept ValueError as e: print(f'{e}')",
        "try: x()\nexcept ValueError as e: print(str(e))",
        "try: x()\nexcept (Failure, OSError) as e: print(repr(e))",
        "try: x()\nexcept Exception as e: y = e.args[0]",
    ],
    "exception-context": ["print(e.__context__)", "e.__cause__", "traceback.print_exc()"],
    "open-for-writing": [
        "open('x', 'w')", "open(path, mode='ab')", "path.open('x')", "path.write_text('')",
        "os.open(p, os.O_WRONLY | os.O_CREAT)",
    ],
    "event-name": ["log.event(name)", "log.event(f'{x}_done')"],
}  # fmt: skip
ALLOWED = [
    "open('x')", "open(path, 'rb')", "path.open('rb')", "os.open(p, os.O_RDONLY)", "log.event('done', count=n)",
    "try: x()\nexcept Failure as f: print(f.message, f'{f}')", "try: x()\nexcept OSError as e: raise of(e) from None",
    "path.write_bytes(b'')  # rule: open-for-writing - the registry",
]  # fmt: skip


@pytest.mark.parametrize(("rule", "code"), [(rule, code) for rule, codes in BROKEN.items() for code in codes])
def test_what_breaks_a_rule_is_found(tmp_path: Path, rule: str, code: str) -> None:
    (tmp_path / "module.py").write_text(code)
    assert [violation.rule for violation in rules.check(tmp_path / "module.py")] == [rule]


@pytest.mark.parametrize("code", ALLOWED)
def test_what_breaks_no_rule_is_allowed(tmp_path: Path, code: str) -> None:
    (tmp_path / "module.py").write_text(code)
    assert list(rules.check(tmp_path / "module.py")) == []


def test_the_package_keeps_the_rules(capsys: pytest.CaptureFixture[str]) -> None:
    assert rules.main() == 0, capsys.readouterr().out
