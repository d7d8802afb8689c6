"""Creates the sink that a configuration names."""

from __future__ import annotations

from lorchestra.base import extensions
from lorchestra.planning.config import Config
from lorchestra.sinks.sink import GROUP, Sink


def create(config: Config) -> Sink:
    """The sink that a configuration names. Raises Failure(CONFIG | COMPONENT_FAILED)."""
    if config.index.sink != "store":
        sink: Sink = extensions.load(GROUP, config.index.sink)(config)
        return sink
    from lorchestra.sinks.store import StoreSink

    return StoreSink(config)
