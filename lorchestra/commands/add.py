"""`lorchestra add source`: write an entry for a source, and its mapping, into pipeline.yaml.

The entry is inserted as text, so that comments stay, and the new file is checked before it replaces the old one.
"""

from __future__ import annotations

import contextlib
import fnmatch
import json
import os
import re
import shlex
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from lorchestra.base import commandline, yaml_document, yaml_edit
from lorchestra.base.errors import Code, ConfigFailure, Failure, visible
from lorchestra.planning import config
from lorchestra.process import programs
from lorchestra.records import names, registry
from lorchestra.stages.extract.sources import meltano_project
from lorchestra.storage import private, trust

_LOADER = "target-lorchestra"
_PLAIN = re.compile(r"[A-Za-z_./~][A-Za-z0-9_./~-]*")
_RESERVED = frozenset({"~", "null", "true", "false", "yes", "no", "on", "off", "y", "n"})


class Kind(NamedTuple):
    """A kind of source: the default name, what the words after it mean, and the transform for its records."""

    name: str
    words: str
    transform: str | None = None
    tap: str | None = None
    """The name of the base extractor, for a kind that runs in Meltano."""


KINDS: dict[str, Kind] = {
    "gmail": Kind("gmail-messages-acct1", "PROJECT", "email/gmail_to_canonical_v1", "tap-gmail"),
    "exchange": Kind("exchange-messages-acct1", "PROJECT", "email/exchange_to_canonical_v1", "tap-exchange"),
    "dataverse": Kind("contacts-dataverse", "PROJECT", "contact/dataverse_contact_to_canonical_v1", "tap-dataverse"),
    "forms": Kind("forms-responses-acct1", "PROJECT", "form_response/google_forms_to_canonical_v1", "tap-google-forms"),
    "files": Kind("inbox", "DIRECTORY"),
    "mailbox": Kind("gmail-messages-mailbox", "PATH", "email/gmail_to_canonical_v1"),
    "command": Kind("export", "PROGRAM [ARGUMENT...]"),
}
_GMAIL = """\
  - name: tap-gmail
    namespace: tap_gmail
    pip_url: meltanolabs-tap-gmail setuptools<81 jsonpath-ng<1.6
    executable: tap-gmail
    capabilities: [catalog, discover, state]
    settings:
    - {name: oauth_credentials.client_id}
    - {name: oauth_credentials.client_secret, kind: password, sensitive: true}
    - {name: oauth_credentials.refresh_token, kind: password, sensitive: true}
    - {name: user_id}
    # The tap reads a key with a dot in it; without the backslash Meltano makes a nested object of it.
    - {name: 'messages\\.q', aliases: [messages_q]}
    config:
      oauth_credentials:
        client_id: $GMAIL_CLIENT_ID  # these three in .env
        client_secret: $GMAIL_CLIENT_SECRET
        refresh_token: $GMAIL_REFRESH_TOKEN"""
_OTHER = """\
  - name: %(tap)s
    namespace: %(namespace)s
    pip_url: %(tap)s  # the package of your tap
    executable: %(tap)s
    capabilities: [catalog, discover, state]"""
_PROJECT = """\
project_id: %(id)s
send_anonymous_usage_stats: false
default_environment: local
environments:
- name: local
ff:
  strict_env_var_mode: true  # an unset variable is an error
"""
_PLUGINS = """\
plugins:
  extractors:
%(base)s
  - name: %(name)s  # one extractor per account; credentials belong in .env
    inherit_from: %(tap)s
  loaders:
  - name: target-lorchestra
    namespace: target_lorchestra
    executable: %(loader)s  # part of lorchestra"""


class Added(NamedTuple):
    """What was written: the new source, the new mapping's transform if one was needed, and the next steps."""

    name: str
    transform: str | None
    next_steps: list[str]


def add(path: Path, kind: str, words: Sequence[str], *, name: str | None, transform: str | None) -> Added:
    """Add a source to pipeline.yaml; `words` are what `Kind.words` names.

    Raises Failure(USAGE) for wrong words or a name that is taken, Failure(TRANSFORM_MISSING), Failure(CONFIG) if the
    text cannot be edited, and whatever `config.load` raises for the new file. After a failure nothing was changed.
    """
    if path == Path("-"):
        raise Failure(Code.USAGE, "standard input cannot be changed", advice="Name the file with --config.")
    known, before = KINDS[kind], config.load(path)
    name, transform = name or known.name, transform or known.transform
    _require_free(before, name)
    if transform:
        registry.locate(before.canonize.registry, transform)
    words = _relative(words, path.parent, kind)
    content = trust.read(path, yaml_document.LARGEST)
    entry = [f"{name}:", *(f"  {key}: {_yaml(value)}" for key, value in _settings(kind, name, words))]
    content = yaml_edit.insert(content, ("stages", "extract", "sources"), entry, visible(str(path)))
    matching = _matching(before, name)
    if transform and not matching:
        rule = f"- {{source_pattern: {_yaml(f'{name}-*.jsonl')}, transform: {transform}}}"
        content = yaml_edit.insert(content, ("stages", "canonize", "mappings"), [rule], visible(str(path)))
    _replace(path, content)
    steps = [*_next_steps(path, known, name, words), *_mapping_steps(matching, transform), "lorchestra validate"]
    return Added(name, None if matching else transform, steps)


def _relative(words: Sequence[str], directory: Path, kind: str) -> list[str]:
    """The words with the path, which is relative to the current directory, made relative to pipeline.yaml's."""
    first, *rest = words
    is_bare_program = kind == "command" and "/" not in first
    if is_bare_program or commandline.is_uri(first) or Path(first).is_absolute():
        return [first, *rest]
    moved = os.path.relpath(first, directory)
    return [moved if "/" in moved or kind != "command" else f"./{moved}", *rest]


def _require_free(before: config.Config, name: str) -> None:
    if not names.is_source(name):
        message = f"{visible(name)!r} cannot name a source"
        raise Failure(Code.USAGE, message, advice="Use lower-case letters, digits and _, in parts joined by - or .")
    if name in {source.name for source in before.extract.sources}:
        raise Failure(Code.USAGE, f"there is a source {name} already", advice="Choose another name with --name.")


def _settings(kind: str, name: str, words: Sequence[str]) -> Iterator[tuple[str, object]]:
    known = KINDS[kind]
    if kind != "command" and len(words) > 1:
        message = f"a source of this kind takes one word, {known.words}"
        raise Failure(Code.USAGE, message, advice=f"lorchestra add source {kind} {known.words}")
    if kind == "command":
        yield from (("type", "command"), ("command", list(words)), ("cwd", "."), ("timeout_seconds", 600))
    elif kind == "files":
        yield from (("type", "files"), ("inbox", words[0]), ("mode", "copy"))
    elif kind == "mailbox":
        yield from (("type", "mailbox"), ("path", words[0]))
    else:
        yield from (("type", "meltano"), ("repo_path", words[0]), ("loader", _LOADER), ("extractor", name))
        if kind == "gmail":  # the tap has a second stream, which only lists ids
            yield from (("streams", {"messages": name, "message_list": None}), ("key", ["id"]))


def _yaml(value: object) -> str:
    """A value in YAML's flow style, with quotes where they are needed."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_yaml(key)}: {_yaml(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_yaml, value))}]"
    plain = isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _RESERVED
    return str(value) if plain else json.dumps(value, ensure_ascii=False)


def _matching(before: config.Config, name: str) -> list[config.Route]:
    """The mappings that match the raw files of a source."""
    file = names.DatedName(name, "20250101").file
    return [mapping for mapping in before.canonize.mappings if fnmatch.fnmatchcase(file, mapping.source_pattern)]


def _mapping_steps(matching: Sequence[config.Route], transform: str | None) -> Iterator[str]:
    if not (matching or transform):
        yield "write a transform (can transform new --help) and map it under stages.canonize.mappings"
    if matching and transform and transform not in {mapping.transform for mapping in matching}:
        first = matching[0]
        yield (
            f"the mapping {visible(first.source_pattern)!r} already applies {first.transform}; "
            f"edit stages.canonize.mappings to use {transform}"
        )


def _replace(path: Path, content: bytes) -> None:
    """Check the new file under a temporary name in its directory, then rename it."""
    temporary = private.temporary_name(path)
    try:
        with private.create(temporary) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            config.load(temporary)
        except ConfigFailure as failure:
            raise ConfigFailure(visible(str(path)), failure.findings) from None
        os.chmod(temporary, path.stat().st_mode & 0o777)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    private.sync_directory(path.parent)


def _next_steps(path: Path, kind: Kind, name: str, words: Sequence[str]) -> Iterator[str]:
    place = path.parent / words[0]
    if kind.words == "DIRECTORY":
        private.make_directory(place)
        yield f"put files named {name}-YYYYMMDD.jsonl into {visible(str(place))}"
    if kind.words == "PATH" and place.is_dir():
        yield f"make the mailbox private: chmod -R go-rwx {shlex.quote(str(place))}"
    if kind.tap:
        yield from _meltano_steps(place, kind.tap, name)


def _defines(project: Path, name: str) -> bool:
    with contextlib.suppress(Failure):
        known = meltano_project.read(project)
        return name in known.extractors and _LOADER in known.loaders
    return False


def _meltano_steps(project: Path, tap: str, name: str) -> Iterator[str]:
    """Create meltano.yml if there is none; otherwise show what it needs. It may have anchors, so it is not edited."""
    base = _GMAIL if tap == "tap-gmail" else _OTHER % {"tap": tap, "namespace": tap.replace("-", "_")}
    plugins = _PLUGINS % {"base": base, "name": name, "tap": tap, "loader": programs.find(_LOADER)}
    file = project / "meltano.yml"
    if not os.path.lexists(file):
        private.make_directory(project)
        private.write(file, f"{_PROJECT % {'id': uuid.uuid4()}}{plugins}\n".encode())
        yield f"complete {visible(str(file))}, which was created"
    elif not _defines(project, name):
        yield f"add what is missing to {visible(str(file))}:\n{plugins}"
    yield f"write the credentials into {visible(str(project / '.env'))}, then run `meltano install` in that directory"
