"""The record's way: a line of JSON, its schema, the transform, the other schema, lines of JSON."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import orjson

from lorchestra.components.canonizer.engines import Evaluate, EvaluationFault
from lorchestra.components.canonizer.rules import NotJson, Reject, Rejected, Rule, Stage
from lorchestra.components.canonizer.schemas import Validator

DEEPEST = 100
LARGEST_EXACT = 2**53
_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_LONG_NUMBER = b"0" * 16


class Converted(NamedTuple):
    """What became of some lines. `sources` holds, for each line of `output`, the number of the raw line."""

    output: bytes
    sources: list[int]
    rejects: list[Reject]
    records: int
    dropped: int
    inexact: int
    not_json: int | None

    def and_then(self, other: Converted) -> Converted:
        """Both, `other` being of the lines that follow."""
        return Converted(
            self.output + other.output,
            self.sources + other.sources,
            self.rejects + other.rejects,
            self.records + other.records,
            self.dropped + other.dropped,
            self.inexact + other.inexact,
            other.not_json,
        )


class Converter:
    """A compiled transform between two compiled schemas. It belongs to the process that made it."""

    def __init__(self, before: Validator, evaluate: Evaluate, after: Validator) -> None:
        self._before = before
        self._evaluate = evaluate
        self._after = after

    def lines(self, chunk: bytes, first: int, guard: Callable[[], object]) -> Converted:
        """Convert whole lines; `first` is the number of the first one, `guard` is called before each record.

        Stops at a line that is not JSON at all and names it in `not_json`.
        """
        output: list[bytes] = []
        sources: list[int] = []
        rejects: list[Reject] = []
        records = dropped = inexact = 0
        for number, line in enumerate(chunk.split(b"\n"), first):
            if not line or line.isspace():
                continue
            guard()
            records += 1
            try:
                results, numbers = self.record(line)
            except Rejected as rejected:
                rejects.append(Reject(number, rejected.stage, rejected.rule, rejected.schema_path))
                continue
            except NotJson:
                return Converted(b"".join(output), sources, rejects, records - 1, dropped, inexact, number)
            inexact += numbers
            dropped += not results
            for result in results:
                output += (result, b"\n")
                sources.append(number)
        return Converted(b"".join(output), sources, rejects, records, dropped, inexact, None)

    def record(self, line: bytes) -> tuple[list[bytes], bool]:
        """The lines that one line gives, and whether it held an integer that doubles cannot hold.

        Raises Rejected, or NotJson where the line is not JSON.
        """
        document, inexact = parse(line)
        _require(self._before, document, Stage.SCHEMA_IN)
        text = self._evaluated(line.decode())
        if text is None:
            return [], inexact
        if text.startswith("{"):
            _require(self._after, orjson.loads(text), Stage.SCHEMA_OUT)
            return [text.encode()], inexact
        return self._elements(text), inexact

    def _elements(self, text: str) -> list[bytes]:
        result = orjson.loads(text)
        if not isinstance(result, list) or not all(isinstance(element, dict) for element in result):
            raise Rejected(Stage.TRANSFORM, Rule.NOT_AN_OBJECT)
        for element in result:
            _require(self._after, element, Stage.SCHEMA_OUT)
        return [orjson.dumps(element) for element in result]

    def _evaluated(self, text: str) -> str | None:
        rule: str
        try:
            return self._evaluate(text)
        except EvaluationFault as fault:
            rule = fault.rule
        except MemoryError:
            rule = Rule.MEMORY_LIMIT
        except KeyboardInterrupt:
            raise
        except BaseException:  # an engine's panic is not an Exception
            rule = Rule.CRASH
        raise Rejected(Stage.TRANSFORM, rule)


def parse(line: bytes) -> tuple[Any, bool]:
    """A line's value, and whether an integer in it exceeds what a double holds. Raises Rejected or NotJson."""
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError:
        document = None
        broken = True
    else:
        broken = False
    if broken:
        raise _diagnosis(line)
    if line.count(b"[") + line.count(b"{") > DEEPEST and _depth(line) > DEEPEST:
        raise Rejected(Stage.PARSE, Rule.TOO_DEEP)
    # Each key and each string has two quotes. Fewer of them in what was understood: a key was there twice.
    quotes = orjson.dumps(document).count(b'"')
    if (line.count(b'"') != quotes or b"\\u0022" in line) and _has_duplicate_key(line):
        raise Rejected(Stage.PARSE, Rule.DUPLICATE_KEY)
    return document, _LONG_NUMBER in line.translate(_ZEROS) and _has_inexact_integer(line)


def _require(validator: Validator, document: Any, stage: Stage) -> None:
    try:
        if validator.is_valid(document):
            return
        rule, path = validator.fault(document)
    except ValueError:
        rule, path = Rule.UNCHECKABLE, ""
    raise Rejected(stage, rule, path)


def _diagnosis(line: bytes) -> Exception:
    """Why a strict reader refused a line: a rule where it is JSON all the same, else NotJson."""
    if _depth(line) > DEEPEST:
        return Rejected(Stage.PARSE, Rule.TOO_DEEP)
    import json

    def refuse(_: str) -> Any:
        raise ValueError

    try:
        json.loads(line.decode(), parse_constant=refuse)
    except (ValueError, RecursionError):
        return NotJson()
    # The standard library reads two things that a strict reader refuses.
    return Rejected(Stage.PARSE, Rule.LONE_SURROGATE if _LONE.search(line) else Rule.NUMBER_RANGE)


_LONE = re.compile(rb"\\u[dD][89a-fA-F]")
_STRINGS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')


def _depth(line: bytes) -> int:
    depth = deepest = 0
    for byte in re.findall(rb"[\[\]{}]", _STRINGS.sub(b"", line)):
        depth += 1 if byte in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _has_duplicate_key(line: bytes) -> bool:
    import json

    found = False

    def pairs(items: list[tuple[str, Any]]) -> None:
        nonlocal found
        found = found or len({key for key, _ in items}) < len(items)

    json.loads(line.decode(), object_pairs_hook=pairs)
    return found


def _has_inexact_integer(line: bytes) -> bool:
    import json

    found = False

    def integer(text: str) -> int:
        nonlocal found
        found = found or len(text) > 17 or abs(int(text)) > LARGEST_EXACT
        return 0

    json.loads(line.decode(), parse_int=integer)
    return found
