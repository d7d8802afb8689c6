"""The path of a record: a line of JSON, its schema, the transform, the other schema, lines of JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import orjson

from lorchestra.components.canonizer.record.engines import Evaluate, EvaluationFault
from lorchestra.components.canonizer.record.parsing import parse
from lorchestra.components.canonizer.record.requests import Converted
from lorchestra.components.canonizer.record.rules import NotJson, Reject, Rejected, Rule, Stage
from lorchestra.components.canonizer.record.schemas import Validator


class Program(NamedTuple):
    """A compiled transform, and the place in its spec, as text, of a position that the engine reports."""

    evaluate: Evaluate
    place: Callable[[int], str | None] = lambda _: None


class Converter:
    """A compiled transform between two compiled schemas. It belongs to the process that made it.

    Without an output schema, a result is returned as the engine gives it. If that schema describes arrays, all
    records that one record becomes are validated together, as one array.
    """

    def __init__(self, before: Validator, program: Program, after: Validator | None) -> None:
        self._before = before
        self._program = program
        self._after = after

    def lines(self, chunk: bytes, first: int, guard: Callable[[], object]) -> Converted:
        """Convert whole lines; `first` is the number of the first one, `guard` is called before each record.

        Stops at a line that is not JSON and reports its number in `not_json`.
        """
        output: list[bytes] = []
        sources: list[int] = []
        rejects: list[Reject] = []
        records = dropped = inexact = 0
        not_json = None
        for number, line in enumerate(chunk.split(b"\n"), first):
            if not line or line.isspace():
                continue
            guard()
            try:
                results, numbers = self.record(line)
            except Rejected as rejected:
                rejects.append(Reject(number, rejected.stage, rejected.rule, rejected.schema_path, rejected.spec_place))
                records += 1
                continue
            except NotJson:
                not_json = number
                break
            records += 1
            inexact += numbers
            dropped += not results
            for result in results:
                output += (result, b"\n")
                sources.append(number)
        return Converted(b"".join(output), sources, rejects, records, dropped, inexact, not_json)

    def record(self, line: bytes) -> tuple[list[bytes], bool]:
        """The lines that one line becomes, and whether it had an integer that doubles cannot hold.

        Raises Rejected, or NotJson if the line is not JSON.
        """
        document, inexact = parse(line)
        self._before.require(document, Stage.SCHEMA_IN)
        text = self._evaluated(line.decode())
        return ([] if text is None else self._validated(text)), inexact

    def _validated(self, text: str) -> list[bytes]:
        after = self._after
        if after is None:
            return [text.encode()]
        result = _parsed(text)
        if isinstance(result, dict) and not after.takes_array:
            after.require(result, Stage.SCHEMA_OUT)
            return [text.encode()]
        return _elements(result, after)

    def _evaluated(self, text: str) -> str | None:
        """The transform's result for JSON text; None for JSONata's undefined. Raises Rejected."""
        place = None
        rule: str
        try:
            return self._program.evaluate(text)
        except EvaluationFault as fault:
            rule = fault.rule
            place = None if fault.position is None else self._program.place(fault.position)
        except MemoryError:
            rule = Rule.MEMORY_LIMIT
        except KeyboardInterrupt:
            raise
        except BaseException:  # an engine's panic is not an Exception
            rule = Rule.CRASH
        raise Rejected(Stage.TRANSFORM, rule, spec_place=place)


def _elements(result: Any, after: Validator) -> list[bytes]:
    # JSONata returns a sequence of one as the value itself.
    records = result if isinstance(result, list) else [result]
    if not all(isinstance(record, dict) for record in records):
        raise Rejected(Stage.TRANSFORM, Rule.NOT_AN_OBJECT)
    for instance in [records] if after.takes_array else records:
        after.require(instance, Stage.SCHEMA_OUT)
    return [orjson.dumps(record) for record in records]


def _parsed(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Rejected(Stage.TRANSFORM, Rule.UNWRITABLE) from None
