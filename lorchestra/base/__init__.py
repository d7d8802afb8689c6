"""Used by all, using none: errors, private files, names, logs, strict readers."""
