"""`lorchestra-sample`: synthetic raw extracts in the sources' own formats."""
