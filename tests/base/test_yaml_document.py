"""YAML means what it says, hostile YAML is refused quickly, and no finding quotes what was written."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lorchestra.base import yaml_document
from lorchestra.base.errors import Code, ConfigFailure
from lorchestra.base.yaml_document import Place

CANARY = "Canary7f3a"


def refused(text: bytes) -> str:
    """The one finding of a document, with its place: `line:column: message`."""
    with pytest.raises(ConfigFailure) as caught:
        yaml_document.load(text, "d")
    assert caught.value.code is Code.CONFIG
    assert caught.value.__context__ is None, "the parser's own error would carry what it read"
    return caught.value.message.removeprefix("d:")


def value(text: bytes) -> Any:
    return yaml_document.load(text, "d").value


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        (b"a: 1\nb: {c: 1, c: 2}", "2:11: duplicate key"),
        (b"a: 1\na: 1", "2:1: duplicate key"),
        (b"a: &x 1", "1:4: anchors and aliases"),
        (b"a: &x [1]\nb: *x", "1:4: anchors and aliases"),
        (b"a: *x", "1:4: anchors and aliases"),
        (b"&k a: 1", "1:1: anchors and aliases"),
        (b"a: {<<: {b: 1}}", "1:5: merge keys"),
        (b"a: !!python/object:os.system x", "1:4: tags are not allowed"),
        (b"a: !!int 3", "1:4: tags are not allowed"),
        (b"%TAG ! tag:x,2000:\n---\na: !foo 1", "3:4: tags are not allowed"),
        (b"1: x", "1:1: a key must be text"),
        (b"? [a, b]\n: 1", "1:3: a key must be text"),
        (b"yes: 1", "1:1: a key must be text"),
        (b"--- a\n--- b", "2:1: a second document"),
        (b"a: \x00", "1:1: not YAML: a character"),
        (b"a: 1\nb: \xff", "2:1: not UTF-8"),
        ("a: 1".encode("utf-16"), "1:1: not UTF-8"),
        (b"a: 'x", "1:6: not YAML"),
        (b"a:\n\t- b", "2:1: not YAML"),
        (b"a: [1, 2", "2:1: not YAML"),
        (b'a: "\\ud800"', "1:7: not YAML"),
        (b"...\n", "1:1: not YAML"),
    ],
)
def test_misleading_constructs_are_refused_with_their_place(text: bytes, finding: str) -> None:
    assert refused(text).startswith(finding)


@pytest.mark.parametrize("number", ["0700", "-0700", "07_00", "00", "190:20:30", "1:30", "190:20:30.15"])
def test_a_number_of_another_base_must_be_quoted(number: str) -> None:
    assert refused(f"mode: {number}".encode()).startswith("1:7: YAML reads this number in another base")
    assert value(f'mode: "{number}"'.encode()) == {"mode": number}


@pytest.mark.parametrize("number", [".inf", "-.INF", ".nan", "1.0e+400", "0x_", "0b_", "9" * 5000])
def test_a_number_that_is_not_finite_is_refused(number: str) -> None:
    assert refused(f"wait: {number}".encode()).startswith("1:7: not a finite number")


@pytest.mark.parametrize("opening", [b"[", b"{a: ", b"- ", b"? ", b"[{a: "])
def test_deep_nesting_is_refused_and_overflows_nothing(opening: bytes) -> None:
    assert "nested deeper than 64 levels" in refused(opening * 100_000)


def test_sixty_levels_are_accepted() -> None:
    assert value(b"[" * 60 + b"]" * 60) is not None


def test_an_alias_bomb_costs_nothing() -> None:
    bomb = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
        b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 9)) for c in range(ord("b"), ord("z"))
    )
    tracemalloc.start()
    refused(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_a_huge_document_is_refused_before_parsing() -> None:
    assert refused(b"#" * (yaml_document.LARGEST + 1)) == f"1:1: larger than {yaml_document.LARGEST} bytes"


def test_text_stays_text() -> None:
    text = b"\xef\xbb\xbfdate: 2025-11-12\r\nwhen: 2001-12-14t21:59:43Z\r\nhex: 0x1f\r\neq: =\r\n"
    text += "name: Jürgen 😀\r\n".encode()
    assert value(text) == {
        "date": "2025-11-12", "when": "2001-12-14t21:59:43Z", "hex": 31, "eq": "=", "name": "Jürgen 😀",
    }  # fmt: skip


@pytest.mark.parametrize("text", [b"", b"\n\n", b"# nothing but a comment\n"])
def test_an_empty_document_has_no_value(text: bytes) -> None:
    assert value(text) is None


def test_every_key_and_item_has_a_place() -> None:
    document = yaml_document.load(b"a:\n  b: 1\n  c:\n    - x\n    - {d: 2}\n", "d")
    assert document.place(("a", "c", 1, "d")) == Place(5, 8)
    assert document.place(("a", "c", 0)) == Place(4, 7)
    assert document.place(("a", "c", 1, "missing", "deeper")) == Place(5, 7), "the nearest ancestor written down"
    assert document.place(("nowhere",)) == Place(1, 1)


@pytest.mark.parametrize(
    "text",
    [
        "a: '{0}", "a: [{0}}}", "{0}\nb: 1", "a: *{0}", "a: &{0} 1", "a: !{0} 1", "!{0}%zz a", 'a: "{0}\\q"', "a: @{0}",
        "a: %{0}", "a: `{0}`", "{0}: 1\n{0}: 2", "a: {0}: b", "- {0}\na: 1", "a: |{0}\n b", "%{0} x", "a: {{{0}: [1}}",
        '"{0}": 1\n"{0}": 2', "? {{{0}: 1}}\n: 2", "a: !<{0}", "%TAG !{0} x\n--- 1\n", "a:\n  '{0}\n b: 1",
    ],
)  # fmt: skip
def test_no_finding_quotes_the_document(text: str) -> None:
    assert CANARY not in refused(text.format(CANARY).encode())


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=200))
def test_any_bytes_are_loaded_or_refused(content: bytes) -> None:
    try:
        yaml_document.load(content, "d")
    except ConfigFailure as failure:
        assert failure.findings[0].line >= 1 and failure.findings[0].column >= 1


@settings(deadline=None, max_examples=200)
@given(st.text("ab:-[]{}&*!|>'\"%@`#?,<=~0x.:_ \n\t\u0085\u2028", max_size=40))
def test_any_text_of_yaml_indicators_is_loaded_or_refused(text: str) -> None:
    try:
        yaml_document.load(text.encode(), "d")
    except ConfigFailure as failure:
        assert failure.findings


# PyYAML itself does not read these three line breaks of YAML 1.1 back as it wrote them.
text_ = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x85\u2028\u2029"), max_size=12)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text_,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text_, inner, max_size=4),
    max_leaves=8,
)


@settings(deadline=None, max_examples=150)
@given(plain, st.booleans())
def test_plain_documents_load_as_with_pyyaml(content: Any, flow: bool) -> None:
    text = yaml.safe_dump(content, default_flow_style=flow, allow_unicode=True)
    try:
        found = value(text.encode())
    except ConfigFailure as refusal:
        assert "merge keys" in refusal.message or "not YAML" in refusal.message
        return
    assert found == yaml.safe_load(text) == content
