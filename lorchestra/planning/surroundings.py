"""Warnings about the place of the PHI directory: what copies files elsewhere although their permissions are right."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from pathlib import Path

from lorchestra.base.errors import visible
from lorchestra.planning.config import Config
from lorchestra.platform import acl, encryption, mounts

_SYNCHRONIZED = ("dropbox*", "onedrive*", "icloud*", "mobile documents", "com~apple~clouddocs", "google drive*",
                 "googledrive*", "google-drive*", "my drive", "cloudstorage")  # fmt: skip
_MARKS = (".dropbox", ".dropbox.cache", ".tmp.drivedownload")
"""Directories and files that the synchronizing programs create in their root."""


def warnings(config: Config) -> Iterator[str]:
    """One sentence for each way in which records could leave the machine or the memory without being noticed."""
    yield from place_warnings(config.phi_directory)
    yield from encryption_warnings(config)
    if areas := mounts.unencrypted_swap():
        yield f"Swap is not encrypted ({', '.join(areas)}): records can be written there. Encrypt it or turn it off."
    if not acl.supported():
        yield "This system does not let Python read ACLs: check with `ls -le` that the PHI directory has none."


def encryption_warnings(config: Config) -> Iterator[str]:
    """What a thief of the disk could read: records, and names of accounts in logs."""
    for name, directory in (("PHI directory", config.phi_directory), ("log directory", config.log_directory)):
        found = encryption.at_rest(directory)
        if found.encrypted is False:
            yield (
                f"The {name} {visible(str(directory))} is not encrypted at rest ({found.how}). "
                "Move it to a file system on LUKS or with fscrypt."
            )


def place_warnings(phi: Path) -> Iterator[str]:
    """The warnings about the place of the PHI directory, which every run shows."""
    name = visible(str(phi))
    if (tree := _git_work_tree(phi)) and not _is_ignored(phi, tree):
        yield f"{name} is in the git work tree {visible(str(tree))}. Add it to .gitignore, or move it."
    if folder := _synchronized(phi):
        yield f"{name} is in {visible(str(folder))}, which a cloud service synchronizes. Move it."
    if kind := mounts.network_file_system(phi):
        yield f"{name} is on a network file system ({kind}): locks may not work and its administrators can read it."


def _git_work_tree(path: Path) -> Path | None:
    return next((parent for parent in path.parents if (parent / ".git").exists()), None)


def _is_ignored(path: Path, tree: Path) -> bool:
    """Whether a .gitignore between the directory and the work tree's root lists it (patterns without `**`)."""
    holders = [parent for parent in path.parents if parent.is_relative_to(tree)]
    files = [(parent, parent / ".gitignore") for parent in holders] + [(tree, tree / ".git" / "info" / "exclude")]
    return any(_lists(file, path.relative_to(base)) for base, file in files)


def _lists(file: Path, relative: Path) -> bool:
    try:
        lines = file.read_text("utf-8", "replace").splitlines()
    except OSError:
        return False
    listed = False
    for line in (line.strip() for line in lines):
        pattern = line.removeprefix("!").removeprefix("/").rstrip("/")
        if not line or line.startswith("#"):
            continue
        prefixes = [Path(*relative.parts[: at + 1]) for at in range(len(relative.parts))]
        if any(fnmatch.fnmatch(str(prefix), pattern) or prefix.name == pattern for prefix in prefixes):
            listed = not line.startswith("!")
    return listed


def _synchronized(path: Path) -> Path | None:
    for folder in (path, *path.parents):
        name = folder.name.lower()
        if any(fnmatch.fnmatch(name, pattern) for pattern in _SYNCHRONIZED):
            return folder
        if any((folder / mark).exists() for mark in _MARKS):
            return folder
    return None
