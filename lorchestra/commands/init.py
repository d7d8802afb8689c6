"""`lorchestra init`: a directory with a pipeline that runs, to be changed step by step."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from lorchestra.base.errors import Code, Failure, visible
from lorchestra.planning import config
from lorchestra.records import bundled
from lorchestra.storage import private

_TEMPLATE = Path(__file__).with_name("templates") / "pipeline.yaml"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_SCHEMA = Path(config.__file__).with_name("pipeline.schema.json")
_DODO = '''\
"""The tasks of pipeline.yaml for doit."""

from lorchestra.scheduler.tasks import Pipeline

pipeline = Pipeline.load("pipeline.yaml")
DOIT_CONFIG = pipeline.doit_config
task_phi = pipeline.phi
task_extract = pipeline.extract
task_canonize = pipeline.canonize
task_index = pipeline.index
'''
_DOIT_CFG = """\
[GLOBAL]
loader = lorchestra
backend = lorchestra

[LOADER]
lorchestra = lorchestra.scheduler.loader:Loader

[BACKEND]
lorchestra = lorchestra.planning.task_store:TaskStore

[COMMAND]
dumpdb = lorchestra.scheduler.dumpdb:DumpDB
"""


def init(directory: Path, name: str | None = None) -> list[Path]:
    """Create the files of a pipeline in a directory; return what was created.

    The pipeline is called `name`, otherwise like the directory.

    The directory may exist and contain other files. Raises Failure(USAGE) if one of the files exists already; then
    nothing is changed.
    """
    files = {
        "pipeline.yaml": _pipeline(_name(directory, name)),
        "dodo.py": _DODO,
        "doit.cfg": _DOIT_CFG,
        ".gitignore": "phi-data/\nlogs/\ninbox/\n.env\n.meltano/\n",
    }
    created = [directory / name for name in (*files, "transforms", "phi-data")]
    for path in created:
        if path.exists() or path.is_symlink():
            message = f"{visible(str(path))} exists already; nothing was changed"
            raise Failure(Code.USAGE, message, advice="Choose another directory: lorchestra init DIR.")
    private.make_directory(directory)
    shutil.copytree(bundled.registry(), directory / "transforms")
    private.make_directory(directory / "phi-data")
    for name, content in files.items():
        private.write(directory / name, content.encode())
    return created


def _pipeline(name: str) -> str:
    return f"# yaml-language-server: $schema={_SCHEMA}\n" + _TEMPLATE.read_text().replace("my-pipeline", name)


def _name(directory: Path, name: str | None) -> str:
    """The given name, or one made from the directory's name. Raises Failure(USAGE) if the given one is not valid."""
    if name is None:
        made = re.sub(r"[^a-z0-9_-]+", "-", directory.absolute().name.lower()).strip("-_")[:63]
        return made or "my-pipeline"
    if not _NAME.fullmatch(name):
        message = f"{visible(name)!r} cannot name a pipeline"
        raise Failure(Code.USAGE, message, advice="Use at most 63 lower-case letters, digits, _ and -.")
    return name
