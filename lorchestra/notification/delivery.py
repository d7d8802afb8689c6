"""Delivers notifications. What goes wrong is returned as a warning: a failing notifier never fails a run."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from lorchestra.base.errors import Failure
from lorchestra.history import runs
from lorchestra.history.runs import RunRecord
from lorchestra.notification import message as messages
from lorchestra.notification.message import Message
from lorchestra.planning.config import Config, Email

_EARLIER = 20
"""How many runs before an interrupted one are looked at."""


def after_run(config: Config, run: RunRecord) -> list[str]:
    """Notify about a run that is recorded. Returns a warning for each notification that could not be delivered."""
    if config.notify is None:
        return []
    earlier = [str(line.get("status")) for line in runs.runs(config.log_directory, _EARLIER)][:-1]
    before = next((status for status in reversed(earlier) if status != "INTERRUPTED"), None)
    return deliver(config, messages.of_run(config.name, run, before))


def deliver(config: Config, message: Message) -> list[str]:
    """Send a message if its events are among those to notify about. Each way takes at most `timeout_seconds`."""
    if config.notify is None or not set(config.notify.when) & set(message["events"]):
        return []
    try:
        return list(_failures(config, message))
    except KeyboardInterrupt:  # the user does not want to wait; the run has ended
        return ["notification interrupted"]


def _failures(config: Config, message: Message) -> Iterator[str]:
    assert config.notify
    if config.notify.command:
        failure = _command(config, message)
        if failure:
            yield f"notification by command failed: {failure}"
    if config.notify.email:
        failure = _within(config.notify.timeout_seconds, config.notify.email, message)
        if failure:
            yield f"notification by email failed: {failure}"


def _command(config: Config, message: Message) -> str:
    """Run the command with the message on standard input. Returns what went wrong, or an empty text."""
    import tempfile  # with `programs`: only a run that notifies needs them

    from lorchestra.process import programs, runner
    from lorchestra.storage import private

    assert config.notify
    command, seconds = config.notify.command, config.notify.timeout_seconds
    try:
        # Not in the PHI directory: it may be what the message is about.
        with tempfile.TemporaryDirectory(prefix="lorchestra-") as directory:
            stdin = Path(directory, "message.json")
            with private.create(stdin) as file:
                file.write(json.dumps(message).encode("ascii") + b"\n")
            finished = runner.run(
                [str(programs.find(command[0])), *command[1:]],
                cwd=config.path.parent,
                env=runner.environment(config.notify.pass_env),
                log=Path(directory, "output"),
                stdin=stdin,
                timeout_seconds=seconds,
                after_stop=True,
            )
    except Failure as failure:
        return failure.message
    except OSError:
        return "no temporary file could be written"
    if finished.timed_out:
        return f"no end within {seconds:g} seconds"
    return f"exit status {finished.status}" if finished.status else ""


def _within(seconds: float, email: Email, message: Message) -> str:
    """Send an email; give up after some seconds. The sockets' own limit begins anew with each byte that arrives."""
    result = [f"no answer within {seconds:g} seconds"]

    def send() -> None:
        result[0] = _email(seconds, email, message)

    thread = threading.Thread(target=send, daemon=True, name="email")
    thread.start()
    thread.join(seconds)
    return result[0]


def _email(seconds: float, email: Email, message: Message) -> str:
    """Send an email by SMTP. Returns what went wrong, or an empty text."""
    import smtplib
    import ssl
    from email.message import EmailMessage

    mail = EmailMessage()
    mail["Subject"] = f"lorchestra {message['pipeline']}: {message['status']}"
    mail["From"], mail["To"] = email.sender, ", ".join(email.to)
    mail.set_content(f"{message['text']}\n\n{json.dumps(message, indent=2)}\n")
    password = os.environ.get(email.password_env or "", "")
    if email.password_env and not password:
        return f"the environment variable {email.password_env} is not set"
    context = ssl.create_default_context()
    try:
        with (
            smtplib.SMTP_SSL(email.host, email.port, timeout=seconds, context=context)
            if email.encryption == "tls"
            else smtplib.SMTP(email.host, email.port, timeout=seconds) as server
        ):
            if email.encryption == "starttls":
                server.starttls(context=context)
            if email.user:
                server.login(email.user, password)
            server.send_message(mail)
    except (OSError, ValueError) as error:  # SMTPException is an OSError
        return f"{type(error).__name__} at {email.host}:{email.port}"
    return ""
