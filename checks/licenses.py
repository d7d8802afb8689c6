"""`python -m checks.licenses`: every package that lorchestra installs has a license that is allowed and listed.

`--write` writes requirements/licenses.md from the metadata of the installed packages.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIST = ROOT / "requirements" / "licenses.md"
_LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==", re.MULTILINE)
_ALLOWED = frozenset(
    {"Apache-2.0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MPL-2.0", "PSF-2.0", "any-OSI"}
)
"""Permissive licenses, MPL-2.0 (a copyleft of files that we do not change), and "any-OSI": any of these by choice."""
_CLASSIFIERS = {"MIT License": "MIT", "BSD License": "BSD", "Apache Software License": "Apache-2.0", "ISC": "ISC"}
_HEADER = """\
# Licenses of the locked packages

Written by `python -m checks.licenses --write`.
`make check` compares it with requirements/run.txt and the installed packages.

| Package | License |
|---|---|
"""


def license_of(package: str) -> str:
    """The license that a package's metadata names; empty if it names none. Raises PackageNotFoundError."""
    named = metadata.metadata(package)
    text = next((named[key] for key in ("License-Expression", "License") if key in named), "")
    if text and len(text) < 80:  # some packages put the whole text there
        return _CLASSIFIERS.get(text, text)
    kinds = (c.rpartition(" :: ")[2] for c in named.get_all("Classifier") or [] if c.startswith("License"))
    return next((_CLASSIFIERS[kind] for kind in kinds if kind in _CLASSIFIERS), "")


def is_allowed(expression: str) -> bool:
    """Whether every license of an expression such as `MPL-2.0 AND (Apache-2.0 OR MIT)` is allowed."""
    words = re.findall(r"[A-Za-z0-9.+-]+", expression)
    return bool(words) and all(word in _ALLOWED for word in words if word not in ("AND", "OR"))


def listed() -> dict[str, str]:
    """The packages and licenses in requirements/licenses.md."""
    if not LIST.exists():
        return {}
    return dict(re.findall(r"^\| ([a-z0-9._-]+) \| (.+) \|$", LIST.read_text(), re.MULTILINE))


def found() -> dict[str, str]:
    """The license of each locked package. One that is not installed on this Python keeps what the list says."""
    known = listed()
    licenses = {}
    for package in sorted(_LOCKED.findall((ROOT / "requirements" / "run.txt").read_text())):
        try:
            licenses[package] = license_of(package)
        except metadata.PackageNotFoundError:
            licenses[package] = known.get(package, "")
    return licenses


def faults() -> Iterator[str]:
    """What is wrong with the licenses or the list."""
    licenses = found()
    for package, name in licenses.items():
        if not is_allowed(name):
            yield f"{package}: {name or 'no license'} is not among the allowed licenses"
    if licenses != listed():
        yield f"{LIST.relative_to(ROOT)} is out of date: run python -m checks.licenses --write"


def main() -> int:
    """Check, or write the list."""
    if sys.argv[1:] == ["--write"]:
        LIST.write_text(_HEADER + "".join(f"| {package} | {name} |\n" for package, name in found().items()))
    wrong = list(faults())
    for fault in wrong:
        print(fault)
    print(f"{len(listed())} licenses checked, {len(wrong)} faults")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
