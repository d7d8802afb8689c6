"""Another package adds a sink, found through its entry point."""

from __future__ import annotations

from pathlib import Path

from lorchestra.sinks.sink import GROUP
from tests import extension
from tests.harness import Project

SOURCE = """
import hashlib, json
from lorchestra.sinks.sink import LoadResult


class Warehouse:
    def __init__(self, config):
        self._canonical, self._directory = config.canonize.output_dir, config.index.output_dir

    def load(self, type_, *, prune=False, progress=None):
        files = sorted(self._canonical.glob(f"{type_}-*.jsonl"))
        records = sum(len(file.read_bytes().splitlines()) for file in files)
        lines = [f"{file.name} {hashlib.sha256(file.read_bytes()).hexdigest()}\\n" for file in files]
        registry = self._directory / "registry"
        registry.mkdir(parents=True, exist_ok=True)
        held = {"holds": hashlib.sha256("".join(lines).encode()).hexdigest(), "objects": records}
        (registry / f"{type_}.json").write_text(json.dumps(held))
        return LoadResult(counts={"files": len(files), "records_in": records, "inserted": records, "objects": records})


create = Warehouse
"""


def test_a_sink_of_another_package_is_loaded_and_found_up_to_date(project: Project, tmp_path: Path) -> None:
    installed = extension.install(tmp_path / "installed", GROUP, "warehouse", SOURCE)
    project.edit("    output_dir: phi-data/vector-store\n", "    output_dir: phi-data/warehouse\n    sink: warehouse\n")
    assert {"index:contact", "index:email"} <= project.ran("doit", env=installed)
    assert project.state()["stages"]["index"]["records_indexed"] == 14
    assert not project.store.exists()
    assert not project.ran("doit", "canonize", "index", env=installed)
    (project.root / "phi-data/warehouse/registry/email.json").unlink()
    assert project.ran("lorchestra", "run", "--stage", "index", env=installed) == {"index:email"}


def test_a_sink_that_is_not_installed_is_an_error_with_its_name(built: Project) -> None:
    built.edit("    output_dir: phi-data/vector-store\n", "    output_dir: phi-data/warehouse\n    sink: warehouse\n")
    shown = built.run("lorchestra", "run", "--stage", "index", status=2)
    assert "no installed package provides 'warehouse' in lorchestra.sinks" in shown.stdout + shown.stderr
