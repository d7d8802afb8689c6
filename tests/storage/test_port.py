"""The local storage keeps the contract of `Storage`."""

from __future__ import annotations

from pathlib import Path

import pytest

from lorchestra.base.errors import Code, Failure
from lorchestra.storage.port import LocalStorage, Storage


def test_the_contract(tmp_path: Path) -> None:
    storage: Storage = LocalStorage(tmp_path / "phi")
    assert storage.list("canonical") == {}
    storage.write({"canonical/a": b"1", "canonical/lineage/a": b"2"})
    assert (storage.read("canonical/a"), list(storage.list("canonical"))) == (b"1", ["a"])
    before = storage.list("canonical")["a"]
    storage.write({"canonical/a": b"3"})
    assert storage.list("canonical")["a"] != before
    with pytest.raises(Failure) as caught:
        storage.read("canonical/missing")
    assert caught.value.code is Code.MISSING
    with storage.lock("locks/run"):
        with pytest.raises(Failure) as caught, storage.lock("locks/run"):
            pass
        assert caught.value.code is Code.BUSY
    with storage.lock("locks/run"):
        pass
