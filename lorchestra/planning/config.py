"""pipeline.yaml as frozen values.

The document is read by a strict loader, `${NAME}` and `${NAME:-default}` are filled in from the environment (`$${` is
a plain `${`), the schema beside this file (data, not code) judges it, and every fault is reported at once with line
and column, none with a value. Paths are relative to the file.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lorchestra.base import yaml_document, yaml_schema
from lorchestra.base.errors import Code, ConfigFailure, Failure, Finding, visible
from lorchestra.planning import inboxes, phi_directory
from lorchestra.platform import limits
from lorchestra.records import bundled, names
from lorchestra.storage import trust

Stage = Literal["extract", "canonize", "index"]
STAGES: tuple[Stage, ...] = ("extract", "canonize", "index")
_SCHEMA = Path(__file__).with_name("pipeline.schema.json")
_REFERENCE = re.compile(r"\$\$\{|\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-((?:(?!\$\{)[^}])*))?\})?")
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
    """Where raw records come from: `{source}-{entity}-{account}`, and the settings of its type, paths absolute.

    A `command` is a sequence of words.
    """

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


def load(path: Path, environment: Mapping[str, str] = os.environ) -> Config:
    """Read pipeline.yaml, which nobody else may be able to change.

    Raises ConfigFailure with every finding, Failure(MISSING | INSECURE | PERMISSION).
    """
    _require_utf8(path.absolute())
    schema = _SCHEMA.read_bytes()
    document = yaml_document.load(_content(path), visible(str(path)))
    filled, findings = _fill(document, environment)
    findings += yaml_schema.check(filled, json.loads(schema))
    findings += _source_faults(filled)
    if not findings:
        digest = hashlib.sha256(json.dumps(filled.value, sort_keys=True).encode() + schema).hexdigest()
        config = _build(path.absolute(), filled.value, digest)
        findings += (*_phi_directory(config, filled), *_overlaps(config, filled), *_inboxes(config, filled))
        if not findings:
            return config
    raise ConfigFailure(visible(str(path)), findings)


def _require_utf8(path: Path) -> None:
    """Jobs, logs and reports hold paths as JSON text, which cannot hold other bytes."""
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        message = f"{visible(str(path))}: the path has bytes that are not UTF-8"
        raise Failure(Code.USAGE, message, advice="Rename the directory.") from None


def _content(path: Path) -> bytes:
    try:
        return trust.read(path, yaml_document.LARGEST + 1)
    except Failure as failure:
        if failure.code is Code.MISSING:
            raise Failure(failure.code, failure.message, advice="Name the configuration with --config FILE.") from None
        raise


def _fill(
    document: yaml_document.Document, environment: Mapping[str, str]
) -> tuple[yaml_document.Document, list[Finding]]:
    """Replace `${NAME}` in every text. A value that is nothing but one reference may be a number or a truth value."""
    findings: list[Finding] = []

    def walk(value: Any, path: yaml_document.Path) -> Any:
        if isinstance(value, dict):
            return {key: walk(inner, (*path, key)) for key, inner in value.items()}
        if isinstance(value, list):
            return [walk(inner, (*path, at)) for at, inner in enumerate(value)]
        if not isinstance(value, str):
            return value
        filled, wrong = _filled(value, environment)
        findings.extend(Finding(*document.place(path), message) for message in wrong)
        return filled

    return yaml_document.Document(walk(document.value, ()), document.places), findings


def _filled(text: str, environment: Mapping[str, str]) -> tuple[Any, list[str]]:
    """A text with its references replaced, and what is wrong with them."""
    wrong: list[str] = []

    def one(match: re.Match[str]) -> str:
        name, default = match.groups()
        if match.group() == "$${":
            return "${"
        if name is None:
            wrong.append(_NO_REFERENCE)
            return ""
        if name not in environment and default is None:
            wrong.append(f"the environment variable {yaml_schema.shown(name)} is not set")
        return environment.get(name) or default or ""

    replaced = _REFERENCE.sub(one, text)
    whole = _REFERENCE.fullmatch(text)
    return _scalar(replaced) if whole and whole.group(1) else replaced, wrong


_NO_REFERENCE = "`${` begins ${NAME} or ${NAME:-default}; write $${ where it is meant as text"


def _scalar(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    # Eight digits are a date, which stays text.
    if re.fullmatch(r"0|[1-9][0-9]{0,6}", text):
        return int(text)
    return float(text) if re.fullmatch(r"(?:0|[1-9][0-9]{0,6})\.[0-9]{1,9}", text) else text


def _source_faults(document: yaml_document.Document) -> Iterator[Finding]:
    """What a schema cannot say."""
    stages = document.value.get("stages") if isinstance(document.value, dict) else None
    extract = stages.get("extract") if isinstance(stages, dict) else None
    sources = extract.get("sources") if isinstance(extract, dict) else None
    for name, source in sources.items() if isinstance(sources, dict) else ():
        if not isinstance(source, dict):
            continue
        path = ("stages", "extract", "sources", name)
        if re.fullmatch("[0-9]{8}", str(start := source.get("start"))) and not names.is_date(str(start)):
            yield Finding(*document.place((*path, "start")), "`start` is not a day of the calendar")
        if source.get("type") == "meltano" and sum(k in source for k in ("job", "sources", "extractor")) > 1:
            yield Finding(*document.place(path), "`job`, `sources` and `extractor` exclude each other")
        streams = source.get("streams")
        kept = [raw for raw in streams.values() if raw is not None] if isinstance(streams, dict) else []
        if len(set(map(str, kept))) < len(kept):
            yield Finding(*document.place((*path, "streams")), "`streams` maps two streams to one raw name")


def _phi_directory(config: Config, document: yaml_document.Document) -> Iterator[Finding]:
    if why := phi_directory.refusal(config.phi_directory, config.path.parent):
        yield Finding(*document.place(("security", "phi_directory")), f"`phi_directory` {why}")


def _overlaps(config: Config, document: yaml_document.Document) -> Iterator[Finding]:
    """Each stage reads whole directories, and staging renames into them: none may hold another, or lie elsewhere."""
    places = {
        ("stages", "extract", "output_dir"): config.extract.output_dir,
        ("stages", "canonize", "output_dir"): config.canonize.output_dir,
        ("stages", "index", "output_dir"): config.index.output_dir,
    }
    taken = {config.work_directory: "the work directory .work"}
    for path, directory in places.items():
        where, name = document.place(path), ".".join(path[1:])
        if directory == config.phi_directory or not directory.is_relative_to(config.phi_directory):
            yield Finding(*where, f"`{name}` must lie below security.phi_directory")
            continue
        for other, whose in taken.items():
            if directory.is_relative_to(other) or other.is_relative_to(directory):
                yield Finding(*where, f"`{name}` and {whose} must be apart from each other")
        if config.log_directory.is_relative_to(directory):
            yield Finding(*where, f"`{name}` must not hold logging.directory")
        taken[directory] = f"`{name}`"


def _inboxes(config: Config, document: yaml_document.Document) -> Iterator[Finding]:
    """Inboxes that are, contain or lie inside a directory of the pipeline or another inbox."""
    own = {
        "the raw directory": config.extract.output_dir,
        "the canonical directory": config.canonize.output_dir,
        "the store": config.index.output_dir,
        "the work directory .work": config.work_directory,
        "the log directory": config.log_directory,
    }
    seen: dict[str, Path] = {}
    for source in config.extract.sources:
        if "inbox" in source.settings:
            inbox = Path(source.settings["inbox"])
            if why := inboxes.refusal(inbox, own, config.phi_directory, seen):
                where = document.place(("stages", "extract", "sources", source.name, "inbox"))
                yield Finding(*where, f"`inbox` {why}")
            seen[source.name] = inbox


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
        jobs=limits.processors() if jobs == "auto" else jobs,
        sha256=digest,
    )


def _extract(base: Path, stage: Mapping[str, Any]) -> Extract:
    sources = tuple(
        Source(name, settings["type"], _settings(base, settings)) for name, settings in stage["sources"].items()
    )
    return Extract(
        _path(base, stage["output_dir"]), sources, Retry(**stage.get("retry", {})), **stage.get("validation", {})
    )


def _settings(base: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    made = {key: str(_path(base, inner)) if key in _PATHS else inner for key, inner in settings.items()}
    del made["type"]
    if "command" in made:
        made["command"] = _command(Path(made.get("cwd", base)), made["command"])
    return made


def _canonize(base: Path, stage: Mapping[str, Any]) -> Canonize:
    registry = _path(base, stage["registry"]) if "registry" in stage else bundled.registry()
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
