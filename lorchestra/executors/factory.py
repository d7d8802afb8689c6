"""Creates the executor that a configuration names."""

from __future__ import annotations

from lorchestra.base import extensions
from lorchestra.executors.executor import GROUP, Executor
from lorchestra.planning.config import Config


def create(config: Config, jobs: int) -> Executor:
    """The executor that a configuration names; a local one runs at most `jobs` jobs at once.

    Raises Failure(CONFIG | COMPONENT_MISSING | COMPONENT_FAILED)."""
    canonize = config.canonize
    if canonize.executor != "local":
        executor: Executor = extensions.load(GROUP, canonize.executor)(config)
        return executor
    from lorchestra.executors.filter import FilterExecutor, is_filter
    from lorchestra.executors.local import LocalExecutor

    local = FilterExecutor if is_filter(canonize.command) else LocalExecutor
    return local(canonize.command, config.work_directory, jobs, canonize.timeout_seconds)
