"""The pipeline of pipeline.yaml, as doit sees it: `doit`, `doit canonize`, `doit list`, `doit forget`."""

from lorchestra.scheduler.tasks import Pipeline

pipeline = Pipeline.load("pipeline.yaml")

DOIT_CONFIG = pipeline.doit_config

task_phi = pipeline.phi
task_extract = pipeline.extract
task_canonize = pipeline.canonize
task_index = pipeline.index
