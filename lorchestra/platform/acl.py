"""Access control lists, which grant rights that the mode does not show. Linux stores them in extended attributes."""

from __future__ import annotations

import errno
import os
from pathlib import Path

_ACCESS = "system.posix_acl_access"
_DEFAULT = "system.posix_acl_default"
_ABSENT = frozenset({errno.ENODATA, errno.ENOTSUP, errno.ENOENT})


def supported() -> bool:
    """Whether this system lets Python read ACLs. Python on macOS has no call for it."""
    return hasattr(os, "getxattr")


def has_access_acl(path: str | Path | int) -> bool:
    """Whether a file (path or descriptor) has an ACL: the group bits of its mode then are the ACL's mask.

    False if not supported.
    """
    return _has(path, _ACCESS)


def has_default_acl(path: str | Path | int) -> bool:
    """Whether a directory passes an ACL on to new files, which overrides the umask. False if not supported."""
    return _has(path, _DEFAULT)


def remove_default_acl(path: str | Path) -> None:
    """Remove a directory's default ACL. Raises OSError."""
    os.removexattr(path, _DEFAULT)


def _has(path: str | Path | int, attribute: str) -> bool:
    if not supported():
        return False
    try:
        return bool(os.getxattr(path, attribute))
    except OSError as error:
        if error.errno in _ABSENT:
            return False
        raise
