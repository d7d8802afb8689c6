"""pipeline.yaml as frozen dataclasses, one per section.

pipeline.schema.json is the single source of what is valid, for editors too; every error is reported at once with line
and column, none with a value. The schema also says which texts are paths (relative to the file) and commands.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lorchestra.base import extensions, yaml_document, yaml_references, yaml_schema
from lorchestra.base.errors import Code, ConfigFailure, Failure, Finding, visible
from lorchestra.planning import inboxes, phi_directory
from lorchestra.planning.window import Window
from lorchestra.platform import limits
from lorchestra.records import bundled
from lorchestra.records.reject_limit import Limit
from lorchestra.storage import trust

SOURCE_TYPES = "lorchestra.sources"
"""The entry-point group of types of sources (stages/extract/sources/source_type.py)."""
_SCHEMA = Path(__file__).with_name("pipeline.schema.json")


@dataclass(frozen=True)
class Retry:
    """When a failed attempt is repeated. `max_attempts` includes the first; waits grow by the multiplier."""

    enabled: bool = False
    max_attempts: int = 3
    backoff_seconds: float = 60
    backoff_multiplier: float = 2


@dataclass(frozen=True)
class Source:
    """A source of raw records, named `{source}-{entity}-{account}`; `settings` are those of the type.

    Paths are absolute; a `command` is a tuple of words. `window` is what `lorchestra extract` asks for.
    """

    name: str
    type: str
    settings: Mapping[str, Any] = field(hash=False)
    window: Window | None = None


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
    """The transform that converts raw files whose name matches the pattern."""

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
    executor: str = "local"
    timeout_seconds: float | None = None
    skip_invalid: bool = True
    require_checksums: bool = True
    max_rejects: Limit = None


@dataclass(frozen=True)
class Index:
    """Stage 3."""

    output_dir: Path
    retry: Retry
    command: tuple[str, ...] = ("vector-projector",)
    sink: str = "store"
    config: Path | None = None
    timeout_seconds: float | None = None


@dataclass(frozen=True)
class Email:
    """Where notifications are mailed to. The password is in the environment variable `password_env`."""

    to: tuple[str, ...]
    sender: str
    host: str
    port: int = 587
    encryption: str = "starttls"
    user: str | None = None
    password_env: str | None = None


@dataclass(frozen=True)
class Notify:
    """Who is notified after which runs."""

    when: tuple[str, ...] = ("failure", "anomaly", "recovery")
    command: tuple[str, ...] = ()
    pass_env: tuple[str, ...] = ()
    timeout_seconds: float = 10
    email: Email | None = None


@dataclass(frozen=True)
class Config:
    """A valid pipeline.yaml. `sha256` is the digest of the document with the environment filled in."""

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
    notify: Notify | None = None

    @property
    def work_directory(self) -> Path:
        """Private, and on the file system of the PHI directory: staging, logs of programs, the task store, the lock."""
        return self.phi_directory / ".work"

    @property
    def phi_directories(self) -> tuple[Path, ...]:
        """Every directory that contains PHI, outermost first."""
        stages = (self.extract.output_dir, self.canonize.output_dir, self.index.output_dir)
        return (self.phi_directory, *stages, self.work_directory)


def load(path: Path, environment: Mapping[str, str] = os.environ) -> Config:
    """Read pipeline.yaml, which nobody else may be able to change. `-` is standard input; its paths are relative to the
    current directory.

    Raises ConfigFailure with every finding, Failure(MISSING | INSECURE | PERMISSION).
    """
    _require_utf8(path.absolute())
    schema = json.loads(_SCHEMA.read_bytes())
    document = yaml_document.load(_content(path), _name(path))
    filled, findings = yaml_references.fill(document, environment)
    _add_source_types(schema, filled.value)
    findings += yaml_schema.check(filled, schema)
    if not findings:
        digest = hashlib.sha256(json.dumps([filled.value, schema], sort_keys=True).encode()).hexdigest()
        config = _build(path.absolute(), filled.value, schema, digest)
        findings += (*_phi_directory(config, filled), *_overlaps(config, filled), *_inboxes(config, filled))
        if not findings:
            return config
    raise ConfigFailure(_name(path), findings)


def _add_source_types(schema: dict[str, Any], document: Any) -> None:
    """Add the settings of types that other packages provide. The schema rejects a type that none provides.

    Entry points are looked up only if the document uses a type that is not built in.
    """
    any_source = schema["$defs"]["source"]
    built_in = any_source["properties"]["type"]["enum"]
    for name in sorted(_types_in(document) - set(built_in)):
        if not extensions.provides(SOURCE_TYPES, name):
            continue
        settings = extensions.load(SOURCE_TYPES, name).settings
        common = {"type": True, "key": {"$ref": "#/$defs/names"}, "streams": {"$ref": "#/$defs/streams"}}
        properties = common | settings.get("properties", {})
        closed = {"type": "object", "additionalProperties": False, **settings, "properties": properties}
        any_source["properties"]["type"]["enum"] = [*any_source["properties"]["type"]["enum"], name]
        condition = {"required": ["type"], "properties": {"type": {"const": name}}}
        any_source["allOf"].append({"if": condition, "then": closed})


def _types_in(document: Any) -> set[str]:
    """The types of sources that a document names; it was not checked yet."""
    for key in ("stages", "extract", "sources"):
        document = document.get(key) if isinstance(document, dict) else None
    sources = document.values() if isinstance(document, dict) else ()
    types = (source.get("type") for source in sources if isinstance(source, dict))
    return {type_ for type_ in types if isinstance(type_, str)}


def _require_utf8(path: Path) -> None:
    """Jobs, logs and reports hold paths as JSON text, which cannot hold other bytes."""
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        message = f"{visible(str(path))}: the path has bytes that are not UTF-8"
        raise Failure(Code.USAGE, message, advice="Rename the directory.") from None


def _name(path: Path) -> str:
    return "standard input" if path == Path("-") else visible(str(path))


@functools.cache
def _standard_input() -> bytes:
    """Standard input, which can be read only once but is loaded by several parts of a command."""
    return sys.stdin.buffer.read(yaml_document.LARGEST + 1)


def _content(path: Path) -> bytes:
    if path == Path("-"):
        return _standard_input()
    try:
        return trust.read(path, yaml_document.LARGEST + 1)
    except Failure as failure:
        if failure.code is Code.MISSING:
            raise Failure(
                failure.code,
                failure.message,
                advice="Create a pipeline with `lorchestra init`, or name its file with --config.",
            ) from None
        raise


def _phi_directory(config: Config, document: yaml_document.Document) -> Iterator[Finding]:
    if why := phi_directory.refusal(config.phi_directory, config.path.parent):
        yield Finding(*document.place(("security", "phi_directory")), f"`phi_directory` {why}")


def _overlaps(config: Config, document: yaml_document.Document) -> Iterator[Finding]:
    """Stages read whole directories and staging renames into them: none may contain another or be elsewhere."""
    places = {
        ("stages", "extract", "output_dir"): config.extract.output_dir,
        ("stages", "canonize", "output_dir"): config.canonize.output_dir,
        ("stages", "index", "output_dir"): config.index.output_dir,
    }
    taken = {config.work_directory: "the work directory .work"}
    for path, directory in places.items():
        where, name = document.place(path), ".".join(path[1:])
        if directory == config.phi_directory or not directory.is_relative_to(config.phi_directory):
            yield Finding(*where, f"`{name}` must be below security.phi_directory")
            continue
        for other, whose in taken.items():
            if directory.is_relative_to(other) or other.is_relative_to(directory):
                yield Finding(*where, f"`{name}` and {whose} must not contain each other")
        if config.log_directory.is_relative_to(directory):
            yield Finding(*where, f"`{name}` must not contain logging.directory")
        taken[directory] = f"`{name}`"


def _inboxes(config: Config, document: yaml_document.Document) -> Iterator[Finding]:
    """Inboxes that are, contain or are inside a directory of the pipeline or another inbox."""
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


def _build(path: Path, document: Mapping[str, Any], schema: Mapping[str, Any], digest: str) -> Config:
    base = path.parent
    converters = {
        "#/$defs/path": lambda text: _path(base, text),
        "#/$defs/command": lambda words: _command(base, words),
    }
    value = yaml_schema.convert(document, dict(schema), converters)
    stages, logging = value["stages"], value.get("logging", {})
    security, behavior = value.get("security", {}), value.get("behavior", {})
    jobs = behavior.get("jobs", "auto")
    return Config(
        path=path,
        name=value["pipeline"]["name"],
        extract=_extract(base, stages["extract"], document["stages"]["extract"]["sources"]),
        canonize=_canonize(stages["canonize"]),
        index=Index(**stages["index"] | {"retry": Retry(**stages["index"].get("retry", {}))}),
        log_directory=logging.get("directory", _path(base, "logs")),
        log_level=logging.get("level", "INFO"),
        phi_directory=security.get("phi_directory", _path(base, "phi-data")),
        fail_fast=behavior.get("fail_fast", False),
        jobs=limits.processors() if jobs == "auto" else jobs,
        sha256=digest,
        notify=_notify(value["notify"]) if "notify" in value else None,
    )


def _notify(section: Mapping[str, Any]) -> Notify:
    lists: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in section.items()}
    if email := section.get("email"):
        rest = {key: value for key, value in email.items() if key not in ("to", "from")}
        lists["email"] = Email(tuple(email["to"]), email["from"], **rest)
    return Notify(**lists)


def _extract(base: Path, stage: Mapping[str, Any], written: Mapping[str, Any]) -> Extract:
    """`written` are the sources before conversion."""
    sources = tuple(
        Source(name, settings["type"], _settings(base, settings, written[name]))
        for name, settings in stage["sources"].items()
    )
    return Extract(stage["output_dir"], sources, Retry(**stage.get("retry", {})), **stage.get("validation", {}))


def _settings(base: Path, settings: Mapping[str, Any], written: Mapping[str, Any]) -> dict[str, Any]:
    """A source's settings; a program is relative to the source's `cwd`."""
    made = {key: str(value) if isinstance(value, Path) else value for key, value in settings.items() if key != "type"}
    if "command" in made:
        made["command"] = _command(Path(made.get("cwd", base)), written["command"])
    return made


def _canonize(stage: Mapping[str, Any]) -> Canonize:
    rest = {key: value for key, value in stage.items() if key != "validation"}
    registry = stage.get("registry", bundled.registry())
    return Canonize(
        **{"registry": registry, "schemas": registry / "schemas"}
        | rest
        | stage.get("validation", {})
        | {
            "mappings": tuple(Route(**mapping) for mapping in stage["mappings"]),
            "retry": Retry(**stage.get("retry", {})),
        }
    )


def _path(base: Path, text: str) -> Path:
    """Absolute and without `.` and `..`, so that one file has one name; `phi` checks links."""
    return Path(os.path.normpath(base / Path(text).expanduser()))


def _command(base: Path, command: str | list[str]) -> tuple[str, ...]:
    words = [command] if isinstance(command, str) else command
    program = str(_path(base, words[0])) if "/" in words[0] else words[0]
    return (program, *(_script(base, word) for word in words[1:]))


def _script(base: Path, word: str) -> str:
    """A word of a command; the absolute path if it names a file, because programs run in directories of their own."""
    is_file_name = "\0" not in word and not word.startswith("-") and ("/" in word or "." in word)
    return str(path) if is_file_name and (path := _path(base, word)).is_file() else word
