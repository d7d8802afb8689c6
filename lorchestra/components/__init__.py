"""The programs that do the work. They know neither the pipeline nor each other."""
