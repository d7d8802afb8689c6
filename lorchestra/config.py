"""pipeline.yaml as frozen values.

The document is read by a strict loader, `${NAME}` and `${NAME:-default}` are filled in from the environment, the schema
beside this file (data, not code) judges it, and every fault is reported at once with line and column. Paths are
relative to the file.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lorchestra.base import strictyaml
from lorchestra.base.errors import Code, ConfigFailure, Failure, Finding

Stage = Literal["extract", "canonize", "index"]
STAGES: tuple[Stage, ...] = ("extract", "canonize", "index")
_SCHEMA = Path(__file__).with_name("pipeline.schema.json")
_ENVIRONMENT = re.compile(r"\$(\$)?\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_PATHS = frozenset({"repo_path", "venv_path", "inbox", "cwd", "state"})


@dataclass(frozen=True)
class Retry:
    """How often a failed attempt is repeated. `max_attempts` counts attempts; waits grow by the multiplier."""

    enabled: bool = False
    max_attempts: int = 3
    backoff_seconds: float = 60
    backoff_multiplier: float = 2


@dataclass(frozen=True)
class Source:
    """Where raw records come from: `{source}-{entity}-{account}`, and the settings of its type, paths absolute."""

    name: str
    type: str
    settings: Mapping[str, Any] = field(hash=False)


@dataclass(frozen=True)
class Extract:
    """Stage 1."""

    output_dir: Path
    sources: tuple[Source, ...]
    retry: Retry
    require_files: int = 0
    min_records: int = 0


@dataclass(frozen=True)
class Route:
    """Raw files whose name matches the pattern go through the transform."""

    source_pattern: str
    transform: str
    output_name: str | None = None


@dataclass(frozen=True)
class Canonize:
    """Stage 2."""

    output_dir: Path
    registry: Path
    schemas: Path
    mappings: tuple[Route, ...]
    retry: Retry
    command: tuple[str, ...] = ("can",)
    timeout_seconds: float | None = None
    skip_invalid: bool = True
    require_checksums: bool = True
    max_rejects: int | None = None


@dataclass(frozen=True)
class Index:
    """Stage 3."""

    output_dir: Path
    retry: Retry
    command: tuple[str, ...] = ("vector-projector",)
    config: Path | None = None
    timeout_seconds: float | None = None


@dataclass(frozen=True)
class Config:
    """A valid pipeline.yaml. `sha256` is that of the document with the environment filled in."""

    path: Path
    name: str
    extract: Extract
    canonize: Canonize
    index: Index
    log_directory: Path
    log_level: str
    phi_directory: Path
    fail_fast: bool
    jobs: int
    sha256: str

    @property
    def work_directory(self) -> Path:
        """Private, and on the file system of the PHI directory: staging, child logs, the lock."""
        return self.phi_directory / ".work"

    @property
    def phi_directories(self) -> tuple[Path, ...]:
        """Every directory that holds PHI, outermost first."""
        stages = (self.extract.output_dir, self.canonize.output_dir, self.index.output_dir)
        return (self.phi_directory, *stages, self.work_directory)


def load(
    path: Path,
    environment: Mapping[str, str] = os.environ,
    *,
    judged: Callable[[Config], bool] = lambda _config: False,
) -> Config:
    """Read pipeline.yaml. Raises ConfigFailure with every finding, Failure(MISSING) where there is no such file.

    `judged` says whether a document with this `sha256` was found good before; then the judge, who is slow to start,
    is not asked again.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        text = None
    if text is None:
        raise Failure(Code.MISSING, f"{path}: no such file", advice="Name the configuration with --config FILE.")
    document = strictyaml.load(text, str(path))
    filled, findings = _fill(document, environment)
    digest = hashlib.sha256(json.dumps(filled.value, sort_keys=True).encode() + _SCHEMA.read_bytes()).hexdigest()
    if not findings:
        with contextlib.suppress(KeyError, TypeError, AttributeError):
            config = _build(path.absolute(), filled.value, digest)
            if judged(config):
                return config
    findings.extend(_judge(filled))
    if findings:
        raise ConfigFailure(str(path), findings)
    return _build(path.absolute(), filled.value, digest)


@functools.cache
def _schema() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(_SCHEMA.read_bytes())
    return document


def _fill(document: strictyaml.Document, environment: Mapping[str, str]) -> tuple[strictyaml.Document, list[Finding]]:
    """Replace `${NAME}` in every text. A value that is nothing but one reference may be a number or a truth value."""
    findings: list[Finding] = []

    def text(value: str, path: strictyaml.Path) -> Any:
        def one(match: re.Match[str]) -> str:
            escaped, name, default = match.groups()
            if escaped:
                return match.group(0)[1:]
            value = environment.get(name)
            if value is None and default is None:
                findings.append(Finding(*document.place(path), f"the environment variable {name} is not set"))
                return match.group(0)
            return value or default or ""

        replaced = _ENVIRONMENT.sub(one, value)
        whole = _ENVIRONMENT.fullmatch(value)
        return _scalar(replaced) if whole and not whole.group(1) else replaced

    def walk(value: Any, path: strictyaml.Path) -> Any:
        if isinstance(value, dict):
            return {key: walk(inner, (*path, key)) for key, inner in value.items()}
        if isinstance(value, list):
            return [walk(inner, (*path, at)) for at, inner in enumerate(value)]
        return text(value, path) if isinstance(value, str) else value

    return strictyaml.Document(walk(document.value, ()), document.places), findings


def _scalar(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    # Eight digits are a date, which stays text.
    return int(text) if re.fullmatch(r"0|[1-9][0-9]{0,6}", text) else text


def _judge(document: strictyaml.Document) -> Iterator[Finding]:
    import jsonschema
    import referencing

    validator = jsonschema.Draft202012Validator(_schema(), registry=referencing.Registry())
    for error in validator.iter_errors(document.value):
        yield from _findings(error, document)
    yield from _meaning(document)


def _findings(error: Any, document: strictyaml.Document) -> Iterator[Finding]:
    path = tuple(error.absolute_path)
    place = document.place(path)
    name = f"`{path[-1]}`" if path and isinstance(path[-1], str) else "this value"
    if error.validator == "additionalProperties" and error.validator_value is False:
        known = error.schema.get("properties", {})
        for key in sorted(set(error.instance) - set(known)):
            yield Finding(*document.place((*path, key)), f"unknown key `{key}`{_near_miss(key, known)}")
    elif error.validator == "required":
        for key in error.validator_value:
            if key not in error.instance:
                yield Finding(*place, f"`{key}` is missing{'' if not path else f' in {name}'}")
    elif error.validator == "enum":
        choices = ", ".join(map(str, error.validator_value))
        yield Finding(*place, f"{name} must be one of {choices}{_near_miss(error.instance, error.validator_value)}")
    elif error.validator == "type":
        kinds = error.validator_value if isinstance(error.validator_value, list) else [error.validator_value]
        yield Finding(*place, f"{name} must be {' or '.join(_article(kind) for kind in kinds)}")
    elif "propertyNames" in error.absolute_schema_path:
        yield Finding(
            *document.place((*path, error.instance)), "a source's name has lower-case letters, digits, _ and -"
        )
    else:
        yield Finding(*place, f"{name} {_RULES.get(error.validator, 'is not valid')}")


_RULES = {
    "pattern": "is not of the form that is expected here",
    "minimum": "is too small",
    "exclusiveMinimum": "is too small",
    "maximum": "is too large",
    "minLength": "must not be empty",
    "minItems": "must not be empty",
    "anyOf": "is neither of the forms that are allowed here",
}


def _article(kind: str) -> str:
    return {"object": "a mapping", "array": "a list", "string": "text in quotes", "integer": "a whole number"}.get(
        kind, f"a {kind}"
    )


def _near_miss(word: object, known: Any) -> str:
    import difflib

    close = difflib.get_close_matches(str(word), [str(k) for k in known], n=1, cutoff=0.6)
    return f"; did you mean `{close[0]}`?" if close else ""


def _meaning(document: strictyaml.Document) -> Iterator[Finding]:
    """What a schema cannot say."""
    from lorchestra.base import names

    stages = document.value.get("stages") if isinstance(document.value, dict) else None
    extract = stages.get("extract") if isinstance(stages, dict) else None
    sources = extract.get("sources") if isinstance(extract, dict) else None
    for name, source in sources.items() if isinstance(sources, dict) else ():
        if not isinstance(source, dict):
            continue
        path = ("stages", "extract", "sources", name)
        if isinstance(start := source.get("start"), str) and not names.is_date(start):
            yield Finding(*document.place((*path, "start")), '`start` is not a date: write it as "20251112"')
        if source.get("type") == "meltano" and sum(k in source for k in ("job", "sources", "extractor")) > 1:
            yield Finding(*document.place(path), "`job`, `sources` and `extractor` exclude each other")


def _build(path: Path, value: Mapping[str, Any], digest: str) -> Config:
    base = path.parent
    stages, logging = value["stages"], value.get("logging", {})
    security, behavior = value.get("security", {}), value.get("behavior", {})
    jobs = behavior.get("jobs", "auto")
    return Config(
        path=path,
        name=value["pipeline"]["name"],
        extract=_extract(base, stages["extract"]),
        canonize=_canonize(base, stages["canonize"]),
        index=_index(base, stages["index"]),
        log_directory=_path(base, logging.get("directory", "logs")),
        log_level=logging.get("level", "INFO"),
        phi_directory=_path(base, security.get("phi_directory", "phi-data")),
        fail_fast=behavior.get("fail_fast", False),
        jobs=len(os.sched_getaffinity(0)) if jobs == "auto" else jobs,
        sha256=digest,
    )


def _extract(base: Path, stage: Mapping[str, Any]) -> Extract:
    sources = tuple(
        Source(
            name,
            settings["type"],
            {
                key: str(_path(base, inner)) if key in _PATHS else inner
                for key, inner in settings.items()
                if key != "type"
            },
        )
        for name, settings in stage["sources"].items()
    )
    return Extract(
        _path(base, stage["output_dir"]), sources, Retry(**stage.get("retry", {})), **stage.get("validation", {})
    )


def _canonize(base: Path, stage: Mapping[str, Any]) -> Canonize:
    registry = _path(base, stage["registry"])
    return Canonize(
        output_dir=_path(base, stage["output_dir"]),
        registry=registry,
        schemas=_path(base, stage["schemas"]) if "schemas" in stage else registry / "schemas",
        mappings=tuple(Route(**mapping) for mapping in stage["mappings"]),
        retry=Retry(**stage.get("retry", {})),
        command=_command(base, stage.get("command", "can")),
        timeout_seconds=stage.get("timeout_seconds"),
        **stage.get("validation", {}),
    )


def _index(base: Path, stage: Mapping[str, Any]) -> Index:
    return Index(
        output_dir=_path(base, stage["output_dir"]),
        retry=Retry(**stage.get("retry", {})),
        command=_command(base, stage.get("command", "vector-projector")),
        config=_path(base, stage["config"]) if "config" in stage else None,
        timeout_seconds=stage.get("timeout_seconds"),
    )


def _path(base: Path, text: str) -> Path:
    """Absolute and without `.` and `..`, so that one file has one name; links are left for `phi` to judge."""
    return Path(os.path.normpath(base / Path(text).expanduser()))


def _command(base: Path, command: str | list[str]) -> tuple[str, ...]:
    words = [command] if isinstance(command, str) else command
    program = str(_path(base, words[0])) if "/" in words[0] else words[0]
    return (program, *words[1:])
