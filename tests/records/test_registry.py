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


@pytest.mark.parametrize(
    ("directories", "start", "roots"),
    [
        (["schemas"], "email/v", ["schemas"]),
        (["schemas", "email/schemas"], "email/v", ["email/schemas"]),
        (["transforms/schemas", "schemas"], "transforms/email", ["transforms/schemas", "schemas"]),
        (["transforms/schemas", "schemas"], "transforms", ["transforms/schemas", "schemas"]),
        (["schemas"], "transforms/email", ["schemas"]),
        (["transforms/email/schemas", "transforms/schemas"], "transforms/email", ["transforms/email/schemas"]),
    ],
)
def test_schemas_are_looked_up_by_one_rule(
    directories: list[str], start: str, roots: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for directory in [*directories, start]:
        (tmp_path / directory).mkdir(parents=True, exist_ok=True)
    assert registry.schema_roots(tmp_path / start) == [tmp_path / root for root in roots]
    monkeypatch.chdir(tmp_path)
    assert registry.schema_roots(Path(start)) == [Path(root) for root in roots]
    monkeypatch.chdir(tmp_path / start)
    assert [root.resolve() for root in registry.schema_roots(Path())] == [tmp_path / root for root in roots]


@pytest.mark.parametrize("versions", [["1.0.0", "1.10.0", "1.9.0"], ["1-0-0", "1-10-0", "1-9-0"]])
def test_the_latest_version_is_the_greatest_with_dots_or_dashes(versions: list[str], tmp_path: Path) -> None:
    for version in versions:
        (tmp_path / "email" / "x" / version).mkdir(parents=True)
        (tmp_path / "email" / "x" / version / "spec.meta.yaml").write_text("")
    for name in ("email/x", "email/x@latest", f"email/x@{versions[1]}"):
        assert registry.locate(tmp_path, name).parent.name == versions[1]
