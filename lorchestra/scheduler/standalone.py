"""What doit needs to know about us, and a run of doit that does not know it.

doit reads its settings (pyproject.toml, doit.cfg) from the current directory only. Without them its own loader imports
dodo.py and would leave out every check. Then doit is started again, in this process, with these settings.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

from doit import get_initial_workdir
from doit.exceptions import InvalidDodoFile

SETTINGS = {
    "GLOBAL": {"loader": "lorchestra", "backend": "lorchestra"},
    "LOADER": {"lorchestra": "lorchestra.scheduler.loader:Loader"},
    "BACKEND": {"lorchestra": "lorchestra.planning.task_store:TaskStore"},
    "COMMAND": {"dumpdb": "lorchestra.scheduler.dumpdb:DumpDB"},
}
"""As in pyproject.toml, in the form that doit gives them."""

_started: list[bool] = []


def run_again() -> NoReturn:
    """Run doit's command line with our settings and exit. Raises InvalidDodoFile if this process is not doit."""
    if _started or Path(sys.argv[0]).name not in ("doit", "__main__.py"):  # the latter: python -m doit
        raise InvalidDodoFile('this dodo.py needs `loader = "lorchestra"` in the settings of doit')
    from doit.doit_cmd import DoitMain  # imports pdb, among others

    _started.append(True)
    os.chdir(get_initial_workdir())  # doit has moved to the directory of dodo.py
    raise SystemExit(DoitMain(extra_config=SETTINGS).run(sys.argv[1:]))
