"""The progress of a run on a terminal."""

from __future__ import annotations

import os
import re
import signal
import subprocess

import pytest

from tests.harness import BIN, Project

SCRIPT = "echo {} > $LORCHESTRA_OUTPUT/slow-gmail-20251112.jsonl; sleep 60"
SLOW = f'slow-gmail: {{type: command, command: ["sh", "-c", "{SCRIPT}"]}}'


def on_a_terminal(project: Project, *argv: str, until: str = "", **variables: str) -> tuple[int, str]:
    """The exit status and the output of a program on a terminal; Ctrl-C is pressed when `until` was printed."""
    leader, follower = os.openpty()
    child = subprocess.Popen(
        [BIN / argv[0], *argv[1:]], cwd=project.root, stdin=follower, stdout=follower, stderr=follower,
        start_new_session=True, env={**os.environ, "TERM": "xterm", "COLUMNS": "100", **variables},
    )  # fmt: skip
    os.close(follower)
    output = b""
    while part := _read(leader):
        output += part
        if until and until.encode() in output:
            os.killpg(child.pid, signal.SIGINT)
            until = ""
    os.close(leader)
    return child.wait(60), output.decode()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # the last process that had the terminal has ended
        return b""


@pytest.mark.parametrize("program", [("lorchestra", "run"), ("doit",)])
def test_stages_and_running_tasks_are_drawn_and_removed(project: Project, program: tuple[str, ...]) -> None:
    status, shown = on_a_terminal(project, *program)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert status == 0
    assert re.search(r"canonize +━+.* 3/3  14 records  [0-9,]+/s", text)
    assert "  gmail-messages-a" in text
    assert shown.rindex("\x1b[?25h") < shown.rindex("records in")  # the cursor is back before the table


def test_ctrl_c_says_what_has_finished_and_how_to_go_on(project: Project) -> None:
    project.edit("    sources:\n", f"    sources:\n      {SLOW}\n")
    status, shown = on_a_terminal(project, "lorchestra", "run", until="3/4")
    assert status == 130
    assert "INTERRUPTED, 1 task unfinished. Finished work is kept; run again to continue." in shown
    assert "Traceback" not in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")


@pytest.mark.parametrize(("variable", "value"), [("TERM", "dumb"), ("NO_COLOR", "1")])
def test_terminals_without_drawing_or_color(project: Project, variable: str, value: str) -> None:
    _, shown = on_a_terminal(project, "lorchestra", "run", "--stage", "extract", **{variable: value})
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", shown)
    if variable == "TERM":
        assert "\x1b" not in shown
    assert ".  extract:gmail-messages-a" in shown


def test_nothing_is_drawn_into_a_pipe_or_when_it_is_quiet(project: Project) -> None:
    assert "\x1b" not in project.run("lorchestra", "run").stdout
    assert on_a_terminal(project, "lorchestra", "run", "--quiet") == (0, "")
    (project.raw / "gmail-messages-a-20251110.jsonl").write_text("no JSON\n")
    status, shown = on_a_terminal(project, "lorchestra", "run", "--quiet", "--stage", "canonize")
    assert status == 3
    assert "!! canonize:email-20251110" in shown and "PARTIAL: 1 failure" in shown
