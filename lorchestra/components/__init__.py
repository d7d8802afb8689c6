"""Programs that do the work; they know no pipeline and not each other."""
