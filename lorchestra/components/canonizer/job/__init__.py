"""From input files to an output file: counts, rejects, lineage."""
