"""pipeline.yaml: its meaning; all errors are reported at once, with their place and without a value."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lorchestra.base import yaml_document, yaml_schema
from lorchestra.base.errors import Code, ConfigFailure, Failure
from lorchestra.planning import config
from lorchestra.planning.config import Config, Retry, Route

ROOT = Path(__file__).parents[2]
SECRET = "Secret7f3a"

FULL = """\
pipeline:
  name: phi-pipeline
  description: Gmail, Exchange and Dataverse into one store
  version: "1.0"
stages:
  extract:
    output_dir: /home/user/phi-data/meltano-extracts
    sources:
      gmail-messages-acct1-personal:
        type: meltano
        repo_path: /home/user/meltano-ingest
        venv_path: /home/user/meltano-ingest/.venv
        job: ingest-all-accounts
        loader: target-jsonl
        state: ../state
        timeout_seconds: 1800.5
        parallel: 2
        pass_env: [GMAIL_TOKEN]
      contacts-dataverse:
        type: command
        command: [./fetch, "--into", "{output}"]
        cwd: fetcher
      scans-inbox: {type: files, inbox: ~/inbox, pattern: "*.jsonl", mode: copy}
    retry: {enabled: true, max_attempts: 3, backoff_seconds: 60, backoff_multiplier: 2}
    validation: {require_files: 1, min_records: 10}
  canonize:
    output_dir: /home/user/phi-data/canonical
    registry: /home/user/transforms
    command: /home/user/canonizer/.venv/bin/can
    timeout_seconds: 600
    mappings:
      - {source_pattern: "*gmail*.jsonl", transform: email/gmail_to_canonical_v1}
      - {source_pattern: "*contacts*.jsonl", transform: contact/dataverse@latest, output_name: person}
    validation: {skip_invalid: false, require_checksums: false, max_rejects: 5}
  index:
    output_dir: /home/user/phi-data/vector-store
    config: config.yaml
    command: [vector-projector, "--quiet"]
logging: {level: DEBUG, directory: ../logs}
security: {phi_directory: /home/user/phi-data, mode: "0700"}
behavior: {fail_fast: true, jobs: 4}
"""

SMALL = """\
pipeline: {name: test}
stages:
  extract: {output_dir: phi-data/raw, sources: {}}
  canonize: {output_dir: phi-data/canonical, registry: transforms, mappings: []}
  index: {output_dir: phi-data/store}
"""


def load(directory: Path, text: str, **environment: str) -> Config:
    path = directory / "pipeline.yaml"
    path.write_text(text)
    return config.load(path, environment)


def findings(directory: Path, text: str, **environment: str) -> list[str]:
    """The findings as `line:column: message`."""
    with pytest.raises(ConfigFailure) as caught:
        load(directory, text, **environment)
    assert (caught.value.code, caught.value.__context__) == (Code.CONFIG, None)
    return [f"{line}:{column}: {message}" for line, column, message in caught.value.findings]


def source(settings: str) -> str:
    """A document whose one source has these settings in flow style, at 5:8."""
    return SMALL.replace(
        "extract: {output_dir: phi-data/raw, sources: {}}",
        "extract:\n    output_dir: phi-data/raw\n    sources:\n      a: " + settings,
    ).replace("extract:\n", "extract:\n", 1)


def test_a_full_configuration(tmp_path: Path) -> None:
    c = load(tmp_path / ".", FULL)
    assert (c.name, c.fail_fast, c.jobs, c.log_level) == ("phi-pipeline", True, 4, "DEBUG")
    assert c.path == tmp_path / "pipeline.yaml"
    assert c.log_directory == tmp_path.parent / "logs"
    assert c.extract.retry == Retry(True, 3, 60, 2)
    assert (c.extract.require_files, c.extract.min_records) == (1, 10)
    meltano, program, files = c.extract.sources
    assert (meltano.name, meltano.type) == ("gmail-messages-acct1-personal", "meltano")
    assert meltano.settings == {
        "repo_path": "/home/user/meltano-ingest", "venv_path": "/home/user/meltano-ingest/.venv",
        "job": "ingest-all-accounts", "loader": "target-jsonl", "state": str(tmp_path.parent / "state"),
        "timeout_seconds": 1800.5, "parallel": 2, "pass_env": ["GMAIL_TOKEN"],
    }  # fmt: skip
    assert program.settings == {
        "cwd": str(tmp_path / "fetcher"), "command": (str(tmp_path / "fetcher/fetch"), "--into", "{output}"),
    }  # fmt: skip
    assert files.settings["inbox"] == str(Path.home() / "inbox")
    assert c.canonize.schemas == Path("/home/user/transforms/schemas")
    assert c.canonize.command == ("/home/user/canonizer/.venv/bin/can",)
    assert c.canonize.mappings[1] == Route("*contacts*.jsonl", "contact/dataverse@latest", "person")
    assert (c.canonize.skip_invalid, c.canonize.require_checksums, c.canonize.max_rejects) == (False, False, 5)
    assert (c.index.command, c.index.config) == (("vector-projector", "--quiet"), tmp_path / "config.yaml")
    assert c.work_directory == Path("/home/user/phi-data/.work")
    assert c.phi_directories[0] == Path("/home/user/phi-data")


def test_defaults(tmp_path: Path) -> None:
    c = load(tmp_path, SMALL)
    assert (c.log_directory, c.log_level, c.fail_fast) == (tmp_path / "logs", "INFO", False)
    assert c.phi_directory == tmp_path / "phi-data"
    assert c.jobs == len(os.sched_getaffinity(0))
    assert (c.canonize.command, c.index.command) == (("can",), ("vector-projector",))
    assert c.extract.retry == Retry(enabled=False)
    assert (c.canonize.skip_invalid, c.canonize.require_checksums, c.canonize.max_rejects) == (True, True, None)


SECTIONS = {
    "extract": (config.Extract, ("validation",)),
    "canonize": (config.Canonize, ("validation",)),
    "index": (config.Index, ()),
    "retry": (Retry, ()),
}


@pytest.mark.parametrize("name", SECTIONS)
def test_the_schema_and_the_dataclass_of_a_section_have_the_same_fields(name: str) -> None:
    """The schema is the single source of what is valid; the dataclasses are what the program reads."""
    section, inlined = SECTIONS[name]
    schema = json.loads(config._SCHEMA.read_bytes())["$defs"][name]
    properties = dict(schema["properties"])
    for key in inlined:
        properties |= properties.pop(key)["properties"]
    fields = {field.name: field for field in dataclasses.fields(section)}
    assert set(fields) == set(properties)
    optional = {key for key, field in fields.items() if field.default is not dataclasses.MISSING}
    assert set(schema.get("required", ())) <= set(fields) - optional


def test_the_bundled_configuration_names_its_schema_for_editors() -> None:
    first = (ROOT / "pipeline.yaml").read_text().splitlines()[0]
    assert ROOT / first.partition("$schema=")[2] == config._SCHEMA


def test_the_bundled_configuration_is_valid() -> None:
    assert len(config.load(ROOT / "pipeline.yaml", {}).extract.sources) == 5


@pytest.mark.parametrize("written", ["pipeline.yaml", "./pipeline.yaml", "../{here}/pipeline.yaml"])
def test_paths_are_relative_to_the_file_not_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    (tmp_path / "pipeline.yaml").write_text(SMALL.replace("phi-data/raw", "./phi-data/../phi-data/raw/"))
    monkeypatch.chdir(tmp_path)
    c = config.load(Path(written.format(here=tmp_path.name)), {})
    assert c.extract.output_dir == tmp_path / "phi-data" / "raw"


def test_all_errors_are_reported_at_once_with_the_closest_match(tmp_path: Path) -> None:
    text = """\
pipeline: {nmae: x}
stagse: {}
stages:
  extract:
    output_dir: 5
    sources:
      Gmail Messages: {type: sample, kind: gmail-messages, start: "20251131", records: 1}
      b: {type: smaple}
    retry: {max_attemps: 3, backoff_seconds: -1}
  canonize: {output_dir: phi-data/c, registry: t, mappings: [{source_pattern: "a/b", transfrom: x}]}
logging: {level: VERBOSE}
security: {mode: "0750"}
behavior: {jobs: 0, fail_fast: 3}
"""
    assert findings(tmp_path, text) == [
        "1:1: `name` is missing in `pipeline`",
        "1:12: unknown key `nmae`; did you mean `name`?",
        "2:1: unknown key `stagse`; did you mean `stages`?",
        "3:1: `index` is missing in `stages`",
        "5:5: `output_dir` must be text in quotes",
        "7:7: a source's name has at most 120 lower-case letters, digits, _ and single - and .",
        "7:60: `start` is not a day of the calendar",
        "8:11: `type` must be one of sample, command, files, mailbox, meltano; did you mean `sample`?",
        "9:13: unknown key `max_attemps`; did you mean `max_attempts`?",
        "9:29: `backoff_seconds` is too small",
        "10:62: `transform` is missing in item 1 of `mappings`",
        "10:63: `source_pattern` must be a pattern of file names, without a slash",
        "10:86: unknown key `transfrom`; did you mean `transform`?",
        "11:11: `level` must be one of DEBUG, INFO, WARNING, ERROR",
        "12:12: `mode` must be one of 0700, 700; did you mean `0700`?",
        "13:12: `jobs` must be auto, or a whole number from 1 to 64",
        "13:21: `fail_fast` must be true or false",
    ]


@pytest.mark.parametrize(
    ("settings", "finding"),
    [
        ("{kind: gmail-messages}", "`type` is missing in `a`"),
        ("5", "`a` must be a mapping"),
        ("{type: [sample]}", "`type` must be one of sample, command, files, mailbox, meltano"),
        ("{type: files, inbox: x, mode: mvoe}", "`mode` must be one of move, copy; did you mean `move`?"),
        ("{type: files, inbox: x, kind: y}", "unknown key `kind`"),
        ("{type: meltano, repo_path: x, loader: y, parallel: 2.0}", "`parallel` must be a whole number"),
        ("{type: meltano, repo_path: x, loader: y, job: j, extractor: e}", "may have only one of `job`, `sources` and"),
        ("{type: command, command: []}", "`command` must be the name of a program, or a list"),
        ("{type: command, command: two words}", "`command` must be the name of a program, or a list"),
        ("{type: command, command: x, timeout_seconds: 0}", "`timeout_seconds` is too small"),
        ("{type: command, command: x, timeout_seconds: .nan}", "not a finite number"),
        ('{type: command, command: x, cwd: ""}', "`cwd` must not be empty"),
        ('{type: command, command: x, cwd: "a\\nb"}', "`cwd` must be a path without control characters"),
        ("{type: command, command: x, cwd: ~nobody-of-that-name/x}", "~name is not supported"),
        ("{type: sample, kind: gmail-messages, start: 20251112, records: 1}", "`start` must be text in quotes"),
        ('{type: sample, kind: gmail-messages, start: "2025-11-12", records: 1}', "must be a date in quotes"),
        ('{type: sample, kind: gmail-messages, start: "٢٠٢٥١١١٢", records: 1}', "must be a date in quotes"),
        ('{type: sample, kind: gmail-messages, start: "20251112", records: yes}', "`records` must be a whole number"),
        ('{type: sample, kind: gmail-messages, start: "20251112", records: 1, malformed: 2}', "is too large"),
        ('{type: sample, kind: gmail-messages, start: "20251112", records: 1, canary: "a b"}', "must be at most 64"),
    ],
)  # fmt: skip
def test_an_error_of_a_source_is_reported_once(tmp_path: Path, settings: str, finding: str) -> None:
    found = findings(tmp_path, source(settings))
    assert len(found) == 1, found
    assert finding in found[0]


@pytest.mark.parametrize("name", ["gmail\\n", "a/b", "..", "a b", "A", "", "a--b", "é", "x" * 121, "\\e[31m"])
def test_a_sources_name_can_be_a_files_name(tmp_path: Path, name: str) -> None:
    text = SMALL.replace("sources: {}", f'sources: {{"{name}": {{type: files, inbox: x}}}}')
    assert findings(tmp_path, text)[0].startswith("3:49: a source's name has")


@pytest.mark.parametrize("name", ["email/x\\n", "../x", "email/", "email/x@1", "/email/x", "a/" + "b" * 300])
def test_a_transform_name_cannot_leave_the_registry(tmp_path: Path, name: str) -> None:
    text = SMALL.replace("mappings: []", f'mappings: [{{source_pattern: "*", transform: "{name}"}}]')
    (found,) = findings(tmp_path, text)
    assert "`transform` " in found


@pytest.mark.parametrize(
    ("mode", "finding"),
    [
        ("0700", "YAML reads this number in another base: put it in quotes"),
        ("700", "`mode` must be text in quotes"),
        ('"0750"', "`mode` must be one of 0700, 700"),
        ('"0700\\n"', "`mode` must be one of 0700, 700"),
        ("0o700", "`mode` must be one of 0700, 700"),
    ],
)
def test_the_mode_is_0700_as_text(tmp_path: Path, mode: str, finding: str) -> None:
    found = findings(tmp_path, SMALL + f"security: {{mode: {mode}}}\n")
    assert any(finding in line for line in found), found
    assert load(tmp_path, SMALL + 'security: {mode: "0700"}\n').phi_directory == tmp_path / "phi-data"


@pytest.mark.parametrize(
    ("extract", "canonize", "index", "logs", "told"),
    [
        ("phi-data/a", "phi-data/a", "phi-data/c", "logs", ["`canonize.output_dir` and `extract.output_dir`"]),
        ("phi-data/a", "phi-data/a/b", "phi-data/c", "logs", ["`canonize.output_dir` and `extract.output_dir`"]),
        ("phi-data/a/b", "phi-data/c", "phi-data/a", "logs", ["`index.output_dir` and `extract.output_dir`"]),
        ("phi-data/a", "phi-data/b/../a/.", "phi-data/c", "logs", ["`canonize.output_dir` and `extract.output_dir`"]),
        ("raw", "phi-data/b", "phi-data/c", "logs", ["`extract.output_dir` must be below"]),
        ("phi-data", "phi-data/b", "phi-data/c", "logs", ["`extract.output_dir` must be below"]),
        ("/far", "phi-data2/b", "phi-data/c", "logs", ["`extract.output_dir` must", "`canonize.output_dir` must"]),
        ("phi-data/.work/x", "phi-data/b", "phi-data/c", "logs", ["`extract.output_dir` and the work directory .work"]),
        ("phi-data/a", "phi-data/b", "phi-data/c", "phi-data/a", ["`extract.output_dir` must not contain logging"]),
        ("phi-data/a", "phi-data/b", "phi-data/c", "phi-data/c/x", ["`index.output_dir` must not contain logging"]),
        ("phi-data/a", "phi-data/b", "phi-data/c", "phi-data/logs", []),
        ("phi-data/a", "phi-data/a2", "phi-data/c", ".", []),
    ],
)  # fmt: skip
def test_stage_directories_are_below_the_phi_directory_and_disjoint(
    tmp_path: Path, extract: str, canonize: str, index: str, logs: str, told: list[str]
) -> None:
    text = SMALL.replace("phi-data/raw", extract).replace("phi-data/canonical", canonize)
    text = text.replace("phi-data/store", index) + f"logging: {{directory: {logs}}}\n"
    if told:
        found = findings(tmp_path, text)
        assert len(found) == len(told)
        for line, words in zip(found, told, strict=True):
            assert words in line
    else:
        load(tmp_path, text)


@pytest.mark.parametrize(
    ("written", "environment", "meant"),
    [
        ("${N}", {"N": "7"}, 7), ("${N}", {"N": "0"}, 0), ("${N:-12}", {}, 12), ("${N:-12}", {"N": ""}, 12),
        ("${N:-12}", {"N": "3"}, 3),
    ],
)  # fmt: skip
def test_numbers_from_the_environment(tmp_path: Path, written: str, environment: dict[str, str], meant: int) -> None:
    text = SMALL.replace("sources: {}}", 'sources: {}, validation: {min_records: "' + written + '"}}')
    assert load(tmp_path, text, **environment).extract.min_records == meant


def test_truth_values_and_decimals_from_the_environment(tmp_path: Path) -> None:
    c = load(tmp_path, SMALL + 'behavior: {fail_fast: "${F}"}', F="true")
    assert c.fail_fast is True
    text = source('{type: sample, kind: gmail-messages, start: "${D}", records: 1, malformed: "${M}"}')
    (one,) = load(tmp_path, text, D="20251112", M="0.125").extract.sources
    assert (one.settings["start"], one.settings["malformed"]) == ("20251112", 0.125)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("$${HOME}", "${HOME}"), ("a$${A}${A}", "a${A}x"), ("$HOME", "$HOME"), ("$$", "$$"), ("${A}${A}", "xx"),
        ("${B:-}", ""), ("${B:-a:-b}", "a:-b"), ("$$${A}", "$${A}"), ("${EMPTY}", ""),
    ],
)  # fmt: skip
def test_references_inside_text(tmp_path: Path, written: str, meant: str) -> None:
    text = source(f'{{type: meltano, repo_path: x, loader: y, environment: "{written}"}}')
    (one,) = load(tmp_path, text, A="x", EMPTY="").extract.sources
    assert one.settings["environment"] == meant


@pytest.mark.parametrize("written", ["${}", "${1A}", "${A-b}", "${A", "${A:+b}", "${A:-${B}}", "${ A }", "${A.b}"])
def test_malformed_references(tmp_path: Path, written: str) -> None:
    text = source(f'{{type: meltano, repo_path: x, loader: y, environment: "{written}"}}')
    found = findings(tmp_path, text, B=SECRET)
    assert found == ["6:51: `${` begins ${NAME} or ${NAME:-default}; write $${ for the text itself"]


def test_an_unclosed_reference_is_reported_with_the_real_environment(tmp_path: Path) -> None:
    (tmp_path / "pipeline.yaml").write_text(SMALL.replace("phi-data/raw", '"${PHI/raw"'))
    with pytest.raises(ConfigFailure) as caught:
        config.load(tmp_path / "pipeline.yaml")
    assert caught.value.message.startswith(f"{tmp_path}/pipeline.yaml:3:13: `${{` begins ${{NAME}}")


@pytest.mark.parametrize("text", ["", "    sources:\n"])
def test_forty_thousand_faults_are_summarized(tmp_path: Path, text: str) -> None:
    faults = "".join(f"k{number}: {{a: 1}}\n" for number in range(40_000))
    sources = "".join(f"      s{number}: 1\n" for number in range(40_000))
    many = (
        SMALL + faults
        if not text
        else SMALL.replace(
            "extract: {output_dir: phi-data/raw, sources: {}}",
            f"extract:\n    output_dir: phi-data/raw\n    sources:\n{sources}",
        )
    )
    (tmp_path / "pipeline.yaml").write_text(many)
    with pytest.raises(ConfigFailure) as caught:
        config.load(tmp_path / "pipeline.yaml")
    assert len(caught.value.message.splitlines()) <= 101
    assert "39,9" in caught.value.message


def test_a_path_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    directory = tmp_path / os.fsdecode(b"p\xff")
    directory.mkdir()
    with pytest.raises(Failure) as caught:
        load(directory, SMALL)
    assert (caught.value.code, caught.value.advice) == (Code.USAGE, "Rename the directory.")
    assert "bytes that are not UTF-8" in caught.value.message


def test_a_variable_that_is_not_set_is_a_finding_at_its_place(tmp_path: Path) -> None:
    assert findings(tmp_path, SMALL.replace("phi-data/raw", '"${PHI_RAW}/x"'))[0] == (
        "3:13: the environment variable PHI_RAW is not set"
    )


def test_references_in_keys_are_not_replaced(tmp_path: Path) -> None:
    assert SECRET not in "".join(findings(tmp_path, SMALL + '"${S}": 1', S=SECRET))


PLACES = [
    "name: test", "phi-data/raw", "transforms", "phi-data/store", "sources: {}", "mappings: []",
]  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("secret", [SECRET, f"{SECRET} \n\x00", "../" + SECRET, "~" + SECRET, "gmail-" + SECRET])
def test_no_secret_of_the_environment_reaches_a_finding(tmp_path: Path, place: str, secret: str) -> None:
    key, colon, _ = place.partition(": ")
    text = SMALL.replace(place, f'{key}{colon}"${{S}}"' if colon else '"${S}"') + 'security: {mode: "${S}"}\n'
    text += 'logging: {level: "${S}"}\nbehavior: {jobs: "${S}"}\n'
    found = "\n".join(findings(tmp_path, text, S=secret))
    assert found
    assert SECRET not in found


def test_keys_are_shown_short_and_without_control_characters(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, SMALL + f'? "\\e[31m{"x" * 5000}"\n: 1')
    assert found == f"6:3: unknown key `?[31m{'x' * 55}`"


@pytest.mark.parametrize("content", ["", "5", "[]", "text", "null", "{}"])
def test_other_documents_are_refused(tmp_path: Path, content: str) -> None:
    assert findings(tmp_path, content)[0].startswith("1:1: ")


def test_a_missing_file_and_a_directory(tmp_path: Path) -> None:
    for path, words in ((tmp_path / "no.yaml", "no such file"), (tmp_path, "is a directory")):
        with pytest.raises(Failure) as caught:
            config.load(path)
        assert (caught.value.code, caught.value.exit) == (Code.MISSING, 2)
        assert words in caught.value.message
        assert caught.value.advice == "Create a pipeline with `lorchestra init`, or name its file with --config."


def test_an_endless_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Failure):
        config.load(Path("/dev/zero"))


def test_loading_is_fast_and_needs_no_other_validator(tmp_path: Path) -> None:
    (tmp_path / "pipeline.yaml").write_text(SMALL)
    script = (
        "import sys; from pathlib import Path; from lorchestra.planning import config\n"
        "config.load(Path(sys.argv[1]), {}); print('jsonschema' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "pipeline.yaml")], capture_output=True, text=True
    )
    assert (done.stdout.strip(), done.stderr) == ("False", "")


def test_the_digest_changes_with_the_meaning_only(tmp_path: Path) -> None:
    first = load(tmp_path, SMALL.replace("phi-data/raw", '"phi-data/${R}"'), R="raw").sha256
    assert load(tmp_path, "# a comment\n" + SMALL).sha256 == first
    assert load(tmp_path, SMALL.replace("phi-data/raw", "phi-data/other")).sha256 != first


def test_the_schema_is_valid_and_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import jsonschema

    schema = json.loads(config._SCHEMA.read_bytes())
    jsonschema.Draft202012Validator.check_schema(schema)

    def no_network(*_: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", no_network)
    load(tmp_path, FULL)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text("aA~/.${}:-0\n\x00é", max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc_", max_size=3), inner, max_size=3),
    max_leaves=5,
)
FULL_VALUE: dict[str, Any] = yaml.safe_load(FULL)


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, below in inner for found in paths(below, (*path, key)))]


@settings(deadline=None, max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(paths(FULL_VALUE)), value=values, into=st.booleans())
def test_any_value_in_any_place_is_accepted_or_refused(
    tmp_path: Path, path: tuple[Any, ...], value: Any, into: bool
) -> None:
    document = json.loads(json.dumps(FULL_VALUE))
    if path:
        holder = document
        for step in path[:-1]:
            holder = holder[step]
        if into and isinstance(holder, dict):
            holder[f"{path[-1]}x"] = value
        else:
            holder[path[-1]] = value
    else:
        document = value
    try:
        load(tmp_path, yaml.safe_dump(document, sort_keys=False), a="x")
    except ConfigFailure as failure:
        assert failure.findings


@settings(deadline=None, max_examples=250)
@given(path=st.sampled_from(paths(FULL_VALUE)), value=values)
def test_the_schema_means_the_same_to_other_validators(path: tuple[Any, ...], value: Any) -> None:
    """Editors check pipeline.yaml with validators of their own."""
    import jsonschema

    document = json.loads(json.dumps(FULL_VALUE))
    holder = {"": document}
    for step in ("", *path)[:-1]:
        holder = holder[step]
    holder[("", *path)[-1]] = value
    document = holder[""] if not path else document
    schema = json.loads(config._SCHEMA.read_bytes())
    found = list(yaml_schema.check(yaml_document.Document(document, {}), schema))
    types = jsonschema.Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
    extend: Any = jsonschema.validators.extend
    other = extend(jsonschema.Draft202012Validator, type_checker=types)(schema)
    written = json.dumps(value)
    if '\\n"' not in written and "NaN" not in written:  # jsonschema's `$` matches before a final newline
        assert (not found) == other.is_valid(document)


def test_without_a_registry_the_bundled_one_is_used(tmp_path: Path) -> None:
    text = SMALL.replace(", registry: transforms", "")
    assert "registry" not in text
    loaded = load(tmp_path, text)
    assert (loaded.canonize.registry / "email" / "gmail_to_canonical_v1.meta.yaml").is_file()
    assert loaded.canonize.schemas == loaded.canonize.registry / "schemas"
