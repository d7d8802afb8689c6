"""Whether the system's clock is kept right by a time server."""

from __future__ import annotations

_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronized
_STRUCT_BYTES = 512  # struct timex has 208 bytes on 64-bit Linux


def is_synchronized() -> bool | None:
    """Whether the kernel says so; None if the system does not tell."""
    import ctypes  # slow to import

    libc = ctypes.CDLL(None)
    if not hasattr(libc, "adjtimex"):
        return None
    state = int(libc.adjtimex(ctypes.create_string_buffer(_STRUCT_BYTES)))  # modes = 0: read only
    return None if state < 0 else state != _TIME_ERROR
