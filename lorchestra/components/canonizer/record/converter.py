"""The record's way: a line of JSON, its schema, the transform, the other schema, lines of JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from lorchestra.components.canonizer.record.engines import Evaluate, EvaluationFault
from lorchestra.components.canonizer.record.parsing import parse
from lorchestra.components.canonizer.record.requests import Converted
from lorchestra.components.canonizer.record.rules import NotJson, Reject, Rejected, Rule, Stage
from lorchestra.components.canonizer.record.schemas import Validator


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
        not_json = None
        for number, line in enumerate(chunk.split(b"\n"), first):
            if not line or line.isspace():
                continue
            guard()
            try:
                results, numbers = self.record(line)
            except Rejected as rejected:
                rejects.append(Reject(number, rejected.stage, rejected.rule, rejected.schema_path))
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
        """The lines that one line gives, and whether it held an integer that doubles cannot hold.

        Raises Rejected, or NotJson where the line is not JSON.
        """
        document, inexact = parse(line)
        self._before.require(document, Stage.SCHEMA_IN)
        text = self._evaluated(line.decode())
        if text is None:
            return [], inexact
        if text.startswith("{"):
            self._after.require(_reread(text), Stage.SCHEMA_OUT)
            return [text.encode()], inexact
        return self._elements(text), inexact

    def _elements(self, text: str) -> list[bytes]:
        result = _reread(text)
        if not isinstance(result, list) or not all(isinstance(element, dict) for element in result):
            raise Rejected(Stage.TRANSFORM, Rule.NOT_AN_OBJECT)
        for element in result:
            self._after.require(element, Stage.SCHEMA_OUT)
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


def _reread(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    raise Rejected(Stage.TRANSFORM, Rule.UNWRITABLE)
