"""A Meltano project's meltano.yml: plugins, environments, and which extractors a job runs. Meltano is not started.

The file is Meltano's, so anchors and tags are allowed. Only names are taken from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from lorchestra.base.errors import Code, Failure, from_os_error
from lorchestra.planning.config import Source
from lorchestra.records import names

_LARGEST = 4 * 1024 * 1024


@dataclass(frozen=True)
class Project:
    """The parts of a project that matter here: plugins by name as they are defined, jobs as texts."""

    path: Path
    extractors: Mapping[str, Mapping[str, Any]]
    loaders: Mapping[str, Mapping[str, Any]]
    jobs: Mapping[str, tuple[str, ...]]
    has_default_environment: bool
    environments: frozenset[str]

    def blocks(self, job: str, loader: str) -> Iterator[tuple[str, ...]]:
        """What a job runs: extractor, mappers, loader, one tuple an extractor.

        Raises Failure(CONFIG) if a task is anything else, or has another loader.
        """
        if job not in self.jobs:
            known = ", ".join(sorted(self.jobs)) or "none"
            raise self._fault(f"there is no job {job} (jobs: {known})")
        for task in self.jobs[job]:
            words: list[str] = []
            for word in task.split():
                if (word in self.extractors) != (not words):
                    raise self._fault(f"job {job} runs more than extractors with a loader: {word}")
                words.append(word)
                if word in self.loaders:
                    if word != loader:
                        raise self._fault(f"job {job} sends {words[0]} to {word}, not to the loader {loader}")
                    yield tuple(words)
                    words = []
            if words:
                raise self._fault(f"job {job} names no loader for {words[0]}")

    def check(self, extractor: str, loader: str) -> None:
        """Raises Failure(CONFIG) unless both are defined."""
        if extractor not in self.extractors:
            raise self._fault(f"there is no extractor {extractor}")
        if loader not in self.loaders:
            raise self._fault(f"there is no loader {loader}")

    def require_installed(self, extractor: str, loader: str) -> None:
        """Raises Failure(COMPONENT_MISSING) if `meltano install` was not run; Meltano itself reports that late."""
        for kind, known, name in (("extractors", self.extractors, extractor), ("loaders", self.loaders, loader)):
            chain = list(_ancestry(known, name))
            places = [self.path.parent / ".meltano" / kind / plugin / "venv" for plugin in chain]
            if any("pip_url" in known[plugin] for plugin in chain) and not any(place.is_dir() for place in places):
                raise Failure(
                    Code.COMPONENT_MISSING,
                    f"{self.path}: {name} is not installed",
                    advice=f"Run `meltano install` in {self.path.parent}.",
                )

    def _fault(self, what: str) -> Failure:
        return Failure(Code.CONFIG, f"{self.path}: {what}")


def read(repo: Path) -> Project:
    """Read meltano.yml and the files that its `include_paths` name. Raises Failure(MISSING | CONFIG)."""
    path = repo / "meltano.yml"
    main = _load(path)
    documents = [main]
    for pattern in _texts(main.get("include_paths")):
        documents += [_load(file) for file in sorted(repo.glob(pattern)) if file != path]
    plugins = [document.get("plugins") for document in documents]
    return Project(
        path=path,
        extractors={name: plugin for part in plugins for name, plugin in _named(part, "extractors")},
        loaders={name: plugin for part in plugins for name, plugin in _named(part, "loaders")},
        jobs={name: _tasks(job.get("tasks")) for part in documents for name, job in _named(part, "jobs")},
        has_default_environment=bool(main.get("default_environment")),
        environments=frozenset(name for part in documents for name, _ in _named(part, "environments")),
    )


def expand(source: Source) -> tuple[Source, ...]:
    """One source for each extractor that an entry's `job`, `sources` or `extractor` names.

    Without `job` and `sources` the source has the entry's name, whatever the plugin is called. Otherwise each has the
    name that `sources` gives it (a mapping of extractor to source name), or the extractor's own as a source name.
    Raises Failure(MISSING | CONFIG | COMPONENT_MISSING).
    """
    settings = {key: value for key, value in source.settings.items() if key not in ("job", "sources")}
    project = read(Path(settings["repo_path"]))
    loader, given = settings["loader"], source.settings.get("sources")
    if "job" in source.settings:
        runs = list(project.blocks(source.settings["job"], loader))
    else:
        runs = [(extractor, loader) for extractor in given or [settings.get("extractor", source.name)]]
    for extractor, *_ in runs:
        project.check(extractor, loader)
        project.require_installed(extractor, loader)
    _check_environment(source, project)
    named = given if isinstance(given, dict) else {}
    single = not given and "job" not in source.settings
    made = [source.name if single else named.get(run[0]) or source_name(run[0]) for run in runs]
    if not runs or len({run[0] for run in runs}) < len(runs) or len(set(made)) < len(made):
        raise Failure(Code.CONFIG, f"source {source.name}: names no extractor, or the same one twice")
    return tuple(
        replace(source, name=name, settings=settings | {"extractor": run[0], "blocks": run})
        for name, run in zip(made, runs, strict=True)
    )


def source_name(plugin: str) -> str:
    """A plugin's name as a source name: `tap-gmail--acct1-personal` becomes `gmail-acct1-personal`."""
    if names.is_source(plugin):
        return plugin
    return re.sub(r"[^a-z0-9_]+", "-", plugin.lower().removeprefix("tap-")).strip("-")


def _check_environment(source: Source, project: Project) -> None:
    chosen = source.settings.get("environment")
    if chosen is not None and project.environments and chosen not in project.environments:
        known = ", ".join(sorted(project.environments))
        raise Failure(Code.CONFIG, f"{project.path}: there is no environment {chosen} (environments: {known})")
    passed = "MELTANO_ENVIRONMENT" in source.settings.get("pass_env", ())
    if chosen is None and not project.has_default_environment and not passed:
        raise Failure(
            Code.CONFIG,
            f"source {source.name}: no Meltano environment is chosen",
            advice="Set `environment`, or default_environment in meltano.yml.",
        )


def _ancestry(known: Mapping[str, Mapping[str, Any]], name: str) -> Iterator[str]:
    """A plugin and those it inherits from."""
    seen: set[str] = set()
    while name in known and name not in seen:
        yield name
        seen.add(name)
        name = str(known[name].get("inherit_from"))


def _named(value: Any, key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    entries = value.get(key) if isinstance(value, dict) else None
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and isinstance(entry.get("name"), str):
            yield entry["name"], entry


def _tasks(value: Any) -> tuple[str, ...]:
    """A task is a text, or a list of texts that run one after the other."""
    if isinstance(value, list):
        return tuple(task for item in value for task in _tasks(item))
    return (value,) if isinstance(value, str) else ()


def _texts(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _load(path: Path) -> Mapping[str, Any]:
    failure = Failure(Code.CONFIG, f"{path}: not a mapping")
    try:
        with path.open("rb") as file:
            value = yaml.safe_load(file.read(_LARGEST))
        if isinstance(value, dict):
            return value
    except OSError as error:
        found = from_os_error(error, path)
        failure = Failure(
            found.code, found.message, advice="Check repo_path: it names the directory of a Meltano project."
        )
    except yaml.MarkedYAMLError as error:  # its text quotes the file, where passwords may stand
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        failure = Failure(Code.CONFIG, f"{path}:{line}: not YAML")
    except (yaml.YAMLError, RecursionError, ValueError):
        failure = Failure(Code.CONFIG, f"{path}: not YAML")
    raise failure
