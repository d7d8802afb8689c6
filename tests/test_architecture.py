"""docs/architecture.md agrees with the code: packages, module names, and the size of the glossary."""

from __future__ import annotations

import re

from tests.harness import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text()
PACKAGE = ROOT / "lorchestra"


def packages_of_the_page() -> set[str]:
    """The directories of the tree, relative to lorchestra/."""
    (tree,) = re.findall(r"```\nlorchestra/\n(.*?)```", PAGE, re.DOTALL)
    found, parents = set[str](), list[str]()
    for line in tree.splitlines():
        indent, name, description = re.fullmatch(r"( +)([a-z_]+)/ +(.+)", line).groups()  # type: ignore[union-attr]
        assert description
        parents = [*parents[: len(indent) // 2 - 1], name]
        found.add("/".join(parents))
    return found


def section(title: str) -> str:
    """The text below a heading."""
    return PAGE.partition(f"## {title}")[2].partition("\n## ")[0]


def test_the_tree_names_every_package_and_no_other() -> None:
    packages = {str(path.parent.relative_to(PACKAGE)) for path in PACKAGE.rglob("__init__.py")} - {"."}
    assert packages_of_the_page() == packages


def test_the_places_it_names_exist() -> None:
    """Every path in the record's way and in the table of changes; a bare file name follows the path before it."""
    text = section("The path of a record") + section("Where do I change …?")
    paths = re.findall(r"`((?:[a-z_]+/)+(?:[a-z_]+\.(?:py|json))?)`", text)
    assert len(paths) > 20
    places = [PACKAGE, PACKAGE / "components" / "canonizer", PACKAGE / "components" / "projector", ROOT]
    missing = [path for path in paths if not any((place / path).exists() for place in places)]
    known = {"versions/", "commands/", "transforms/"}
    assert [path for path in missing if path not in known] == []


def test_the_tests_it_names_exist() -> None:
    for path in re.findall(r"`(tests/[a-z_/.]+)`", PAGE):
        assert (ROOT / path).exists(), path


def test_the_glossary_is_short() -> None:
    assert 10 <= len(re.findall(r"^\| (?!term|---)", section("Glossary"), re.MULTILINE)) <= 25


def test_every_link_has_a_target() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target
