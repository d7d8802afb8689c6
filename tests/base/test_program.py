"""How programs begin and end: seen from outside, as a shell sees them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from typing import Any

import pytest

from lorchestra.base import program
from lorchestra.base.errors import Code, Exit, Failure

CANARY = "Canary7f3a"
BIN = os.path.dirname(sys.executable)


def source(body: str) -> list[str]:
    """The command that runs a body as our programs run theirs."""
    script = f"""
        import os, signal, sys, time
        from lorchestra.base import program
        from lorchestra.base.errors import Code, Failure
        def body():
{textwrap.indent(textwrap.dedent(body), " " * 12)}
        sys.exit(program.run("prog", body))
    """
    return [sys.executable, "-c", textwrap.dedent(script)]


def ran(body: str, **options: Any) -> tuple[int, str, str]:
    done = subprocess.run(source(body), capture_output=True, text=True, timeout=30, **options)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def shell(line: str) -> tuple[int, str, str]:
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    env["PATH"] = f"{BIN}:/usr/bin:/bin"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=30, env=env)
    return done.returncode, done.stdout, done.stderr


def test_a_body_ends_with_its_status() -> None:
    assert ran("print('out'); return 7") == (7, "out\n", "")


def test_a_failure_is_reported_in_two_lines() -> None:
    assert ran("raise Failure(Code.BUSY, 'locked', advice='Wait.')") == (8, "", "prog: locked\n  Wait.\n")
    assert ran("raise Failure(Code.BUSY, 'locked', advice='')") == (8, "", "prog: locked\n")


@pytest.mark.parametrize("code", list(Code))
def test_every_failure_ends_with_the_status_of_its_row(code: Code, capsys: pytest.CaptureFixture[str]) -> None:
    def body() -> int:
        raise Failure(code, "what")

    assert program._guarded("prog", body) == Failure(code, "").exit
    assert "prog: what\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    "body",
    [
        f"raise ValueError('{CANARY}')",
        f"int('{CANARY}')",
        f"{{}}['{CANARY}']",
        f"raise type('{CANARY}'[:6], (Exception,), {{}})('{CANARY}')",
        f"import json; json.loads('[{CANARY}')",
        f"raise OSError('{CANARY}')",
        f"b'{CANARY}\\xff'.decode()",
    ],
)
def test_the_text_of_an_unexpected_exception_is_never_printed(body: str) -> None:
    status, out, err = ran(body)
    assert (status, out) == (1, "")
    assert CANARY not in err
    assert err.startswith("prog: ")


def test_the_location_of_an_unexpected_exception_is_printed() -> None:
    status, _, err = ran("from lorchestra.records import jsonl; jsonl.count(None)")
    assert status == 1
    assert "unexpected TypeError at lorchestra/records/jsonl.py:" in err


def test_without_a_frame_of_ours_the_innermost_is_reported() -> None:
    def deep() -> None:
        raise ValueError

    assert program.place(ValueError()) == "an unknown location"
    with pytest.raises(ValueError) as caught:
        deep()
    line = deep.__code__.co_firstlineno + 1
    assert program.place(caught.value) == f"tests/base/test_program.py:{line}"


def test_what_the_system_refuses_has_a_status_of_its_own() -> None:
    assert ran("open('/nowhere/x')")[0::2] == (
        2, "prog: /nowhere/x: no such file or directory (ENOENT)\n  Check the path.\n",
    )  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_program_in_words(number: signal.Signals) -> None:
    with subprocess.Popen(
        source("print('ready', flush=True); time.sleep(30)"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout and child.stdout.readline() == "ready\n"
        child.send_signal(number)
        _, err = child.communicate(timeout=10)
    assert child.returncode == 130
    assert err == "prog: interrupted\n  Start again: finished work is kept.\n"


def test_nohup_stays_nohup() -> None:
    body = "os.kill(os.getpid(), signal.SIGHUP); return 3"
    assert ran(body, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))[0] == 3


def test_a_program_is_private_from_its_start() -> None:
    body = "import resource; print(oct(os.umask(0)), resource.getrlimit(resource.RLIMIT_CORE)[0]); return 0"
    assert ran(body) == (0, "0o77 0\n", "")


@pytest.mark.parametrize("amount", [1, 10_000_000])
def test_a_reader_that_stops_early_is_no_error(amount: int) -> None:
    command = subprocess.list2cmdline(source(f"print('x' * {amount}); return 0"))
    assert shell(f"{command} | head -c0; echo ${{PIPESTATUS[0]}}") == (0, "0\n", "")


def test_a_closed_pipe_does_not_hide_a_failure() -> None:
    command = subprocess.list2cmdline(source("print('x'); time.sleep(0.3); return 7"))
    assert shell(f"{command} | true; echo ${{PIPESTATUS[0]}}")[1:] == ("7\n", "")
    command = subprocess.list2cmdline(source("print('x'); time.sleep(0.3); raise Failure(Code.BUSY, 'locked')"))
    assert shell(f"{command} | true; echo ${{PIPESTATUS[0]}}")[1].strip() == "8"


def test_a_full_disk_under_stdout_is_an_error() -> None:
    command = subprocess.list2cmdline(source("print('x'); return 0"))
    status, _, err = shell(f"{command} >/dev/full")
    assert (status, err.splitlines()[0]) == (6, "prog: standard output: no space left on device (ENOSPC)")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_replaced_so_that_no_file_takes_their_place(closed: str) -> None:
    body = "print('x'); print(open('/dev/null').fileno() > 2 or os._exit(9)); raise Failure(Code.BUSY, 'locked')"
    status, _, err = shell(f"{subprocess.list2cmdline(source(body))} {closed}")
    assert status == 8
    assert "Traceback" not in err


def test_nobody_listening_on_stderr_changes_no_status() -> None:
    command = subprocess.list2cmdline(source("time.sleep(0.3); raise Failure(Code.BUSY, 'locked')"))
    assert shell(f"{command} 2>&1 | true; echo ${{PIPESTATUS[0]}}")[1] == "8\n"


@pytest.mark.parametrize("name", ["lorchestra", "can", "vector-projector", "lorchestra-sample"])
def test_help_and_wrong_arguments_end_well_even_on_a_closed_pipe(name: str) -> None:
    assert shell(f"{name} --help | head -c0; echo ${{PIPESTATUS[0]}}") == (0, "0\n", "")
    status, out, err = shell(f"{name} --no-such-flag")
    assert (status, out) == (2, "")
    assert "Traceback" not in err and name in err


def test_no_text_steers_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    program.tell("prog", "\x1b[2Ja\rb\x07: é\n second", "\x9b0m \udcff")
    assert capsys.readouterr().err == "prog: \\x1b[2Ja\\rb\\x07: é\n second\n  \\x9b0m \\udcff\n"


def test_an_exit_that_is_text_is_no_status() -> None:
    assert program._guarded("prog", lambda: sys.exit("text")) == Exit.OK
