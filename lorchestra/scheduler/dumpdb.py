"""`doit dumpdb`: doit's own command reads only the files of its own backends."""

from __future__ import annotations

import json

from doit.cmd_base import DoitCmdBase


class DumpDB(DoitCmdBase):
    """Prints the task store as JSON."""

    name = "dumpdb"
    doc_purpose = "print what is remembered about each task"
    doc_usage = ""
    doc_description = None
    cmd_options = ()

    def _execute(self) -> None:
        self.outstream.write(f"{json.dumps(self.dep_manager.backend.content(), indent=2)}\n")
