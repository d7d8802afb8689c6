"""One raw file holds one stream: which raw file a staged file belongs to."""

from __future__ import annotations

import pytest

from lorchestra.base.errors import Code, Failure
from lorchestra.stages.extract.streams import Destination, Streams

NAME, DATE = "gmail-messages-acct1", "20251112"
RAW = Destination(f"{NAME}-{DATE}.jsonl")


def test_a_single_stream_needs_no_setting() -> None:
    for file in ("messages.jsonl", ".jsonl", "Weird Stream!.jsonl", f"{NAME}-{DATE}.jsonl"):
        assert Streams(NAME, DATE).destinations([file]) == {file: RAW}


def test_declared_streams_have_raw_files_of_their_own_or_are_discarded() -> None:
    streams = Streams(NAME, DATE, {"messages": NAME, "message_list": None})
    assert streams.destinations(["messages.jsonl", "message_list.jsonl"]) == {
        "messages.jsonl": RAW,
        "message_list.jsonl": Destination(None),
    }


def test_a_raw_name_may_contain_the_name_of_the_source() -> None:
    streams = Streams(NAME, DATE, {"messages": "{source}", "threads": "{source}-threads"})
    assert streams.destinations(["messages.jsonl", "threads.jsonl"]) == {
        "messages.jsonl": RAW,
        "threads.jsonl": Destination(f"{NAME}-threads-{DATE}.jsonl"),
    }
    with pytest.raises(Failure) as caught:
        streams.destinations(["labels.jsonl"])
    assert '      messages: "{source}"\n' in caught.value.advice


@pytest.mark.parametrize(
    ("declared", "files", "undeclared"),
    [
        (None, ["messages.jsonl", "message_list.jsonl"], ("messages", "message_list")),
        ({"messages": NAME}, ["messages.jsonl", "message_list.jsonl"], ("message_list",)),
        ({"messages": NAME}, ["message_list.jsonl"], ("message_list",)),
        (None, [f"{NAME}-{DATE}.jsonl", "message_list.jsonl"], ("message_list",)),
    ],
)
def test_an_undeclared_second_stream_is_refused_with_the_lines_to_add(
    declared: dict[str, str | None] | None, files: list[str], undeclared: tuple[str, ...]
) -> None:
    with pytest.raises(Failure, match="nothing was published") as caught:
        Streams(NAME, DATE, declared).destinations(files)
    assert caught.value.code is Code.CONFIG
    assert "    streams:" in caught.value.advice
    for stream in undeclared:
        assert f"      {stream}: {NAME}-{stream}" in caught.value.advice


def test_a_raw_name_of_another_source_is_kept_for_a_loader_and_refused_for_a_program() -> None:
    other = "contacts-dataverse-20251101.jsonl"
    assert Streams(NAME, DATE).destinations([other]) == {other: Destination(other)}
    assert Streams(NAME, DATE, named_only=True).destinations([other, "x.jsonl"]) == {other: None, "x.jsonl": None}


def test_a_declared_stream_keeps_the_date_in_its_file_name() -> None:
    streams = Streams(NAME, DATE, {"visits-export": "clinic-visits"}, named_only=True)
    assert streams.destinations(["visits-export-20260105.jsonl"]) == {
        "visits-export-20260105.jsonl": Destination("clinic-visits-20260105.jsonl")
    }
