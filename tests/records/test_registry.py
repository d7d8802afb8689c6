"""The files of a registry: only regular files of limited size are read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lorchestra.base.errors import Code, Failure
from lorchestra.records import registry


def refused(path: Path) -> Failure:
    with pytest.raises(Failure) as caught:
        registry.read_bytes(path)
    assert caught.value.__context__ is None
    return caught.value


def test_only_a_regular_file_of_limited_size_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    assert registry.read_bytes(tmp_path / "file") == b"content"
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "large").write_bytes(b" " * (4 * 1024 * 1024 + 1))
    assert refused(tmp_path / "none").code is Code.TRANSFORM_MISSING
    assert refused(tmp_path).code is Code.TRANSFORM_MISSING
    for name, what in (("link", "a link"), ("fifo", "not a regular file"), ("large", "4,194,304")):
        failure = refused(tmp_path / name)
        assert (failure.code, what in failure.message) == (Code.TRANSFORM_TAMPERED, True)


@pytest.mark.parametrize("text", ["a", "a/b", "./a", "a..b"])
def test_a_path_below(text: str) -> None:
    assert registry.is_below(text)


@pytest.mark.parametrize("value", ["", ".", "/a", "..", "a/../../b", "a\0b", None, 5, ["a"]])
def test_a_path_that_may_leave_the_directory(value: object) -> None:
    assert not registry.is_below(value)
