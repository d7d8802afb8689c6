"""Malformed records, and records with a token that tests search for afterwards."""

from __future__ import annotations

import re
from typing import Any

Record = dict[str, Any]

# Fields with a grammar, where a token would make the record invalid. Message bodies (`data`) are encoded and
# hold the token inside; so do header values that name people.
_STRUCTURED = re.compile(
    r"mimeType|data|internalDate|historyId|contentType|importance|flagStatus|@odata\.type|\w+DateTime|createTime"
    r"|lastSubmittedTime|birthdate|createdon|modifiedon|new_start|new_end|contactid|new_sessionid|_\w+_value"
    r"|dateTime|date|timeZone|created|updated|updateTime|status|responseStatus|response|time|birthday"
)
_HEADER_ENDINGS = {"date": " ({})", "content-type": "; x-canary={}", "content-disposition": "; x-canary={}"}
_ADDRESS_HEADERS = frozenset({"from", "to", "cc", "bcc", "reply-to", "message-id", "in-reply-to", "references"})


def is_malformed(index: int, fraction: float) -> bool:
    """Whether the record at an index is malformed. Malformed records are evenly spread, exactly `fraction` of all."""
    return int((index + 1) * fraction) > int(index * fraction)


def break_record(record: Record, index: int) -> Record:
    """A record without its identity, or with parts of a wrong type: valid JSON that no source schema accepts."""
    identity = next(key for key in ("id", "contactid", "new_sessionid", "responseId", "resourceName") if key in record)
    way = index % 3
    if way == 0:
        return {key: value for key, value in record.items() if key != identity}
    if way == 1:
        return {**record, identity: ["not", "an", "id"]}
    return {**record, identity: None, "synthetic": "a malformed sample record"}


def plant(record: Record, token: str) -> Record:
    """The record with the token in every text that stays valid with it, and in every key that is data."""
    planted = _planted(record, token, "")
    assert isinstance(planted, dict)
    if "answers" in planted:
        planted["answers"] = {
            f"{key}{token}": {**value, "questionId": f"{key}{token}"} for key, value in planted["answers"].items()
        }
    if "payload" in planted and isinstance(planted["payload"], dict):
        planted["payload"]["headers"].append({"name": f"X-{token}", "value": token})
    return planted


def plant_everywhere(record: Record, token: str) -> Record:
    """The record with the token in every text and as an additional key: for malformed records."""

    def everywhere(value: Any) -> Any:
        if isinstance(value, str):
            return value + token
        if isinstance(value, list):
            return [everywhere(item) for item in value]
        if isinstance(value, dict):
            return {key: everywhere(item) for key, item in value.items()}
        return value

    return {**everywhere(record), token: token}


def _planted(value: Any, token: str, key: str) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"name", "value"}:
            return {"name": value["name"], "value": _planted_header(value["name"].lower(), value["value"], token)}
        return {name: _planted(item, token, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_planted(item, token, key) for item in value]
    if not isinstance(value, str) or token in value or _STRUCTURED.fullmatch(key):
        return value
    if "@" in value and " " not in value and not key.startswith("@"):
        return value.replace("@", f".{token}@")
    return value + token


def _planted_header(name: str, value: str, token: str) -> str:
    if token in value and name != "subject":
        return value
    if name in _ADDRESS_HEADERS:
        return value.replace("@", f".{token}@")
    return value + _HEADER_ENDINGS.get(name, " {}").format(token)
