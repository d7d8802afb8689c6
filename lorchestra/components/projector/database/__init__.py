"""metadata.db: connection, migrations, rows, summaries."""
