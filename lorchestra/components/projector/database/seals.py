"""Checksums by which `verify` notices that a file's row, or a row of what it holds, was changed.

They protect against accidents only: whoever can write to the database can compute them again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import apsw

_MASK = 0x7FFF_FFFF_FFFF_FFFF
_FACTORS = 0x9E37_79B9_7F4A_7C15, 0xC2B2_AE3D_27D4_EB4F, 0xFF51_AFD7_ED55_8CCD  # of splitmix64, xxHash and MurmurHash3
_SEALED = """SELECT name, type, date, size, mtime_ns, ctime_ns, inode, sha256, settings, records, rejected, missing,
    rejects, holdings FROM file WHERE no = ?"""


def holdings_sum(holdings: Iterable[tuple[int, int, str | None]]) -> int:
    """A sum over holdings (object, line, delivered) that does not depend on their order."""
    total = 0
    first, second, third = _FACTORS
    for no, line, delivered in holdings:
        mixed = no * first + line * second & _MASK
        if delivered is not None:
            mixed ^= int.from_bytes(hashlib.blake2b(delivered.encode(), digest_size=7).digest(), "big")
        total += (mixed ^ mixed >> 31) * third & _MASK
    return total & _MASK


def held(connection: apsw.Connection, file: int) -> int:
    """The sum over what a file holds now."""
    return holdings_sum(connection.execute("SELECT object, line, delivered FROM holding WHERE file = ?", (file,)))


def row(connection: apsw.Connection, file: int) -> bytes:
    """The digest (8 bytes) of a file's row as it is now."""
    content = connection.execute(_SEALED, (file,)).fetchone()
    return hashlib.blake2b(repr(content).encode(), digest_size=8).digest()


def seal_holdings(connection: apsw.Connection, files: Iterable[int]) -> None:
    """Store the sum over the holdings of each of these files, and seal their rows."""
    for file in files:
        connection.execute("UPDATE file SET holdings = ? WHERE no = ?", (held(connection, file), file))
        seal(connection, file)


def seal(connection: apsw.Connection, file: int) -> None:
    """Store the digest of a file's row."""
    connection.execute("UPDATE file SET seal = ? WHERE no = ?", (row(connection, file), file))
