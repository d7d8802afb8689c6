"""What authors of transforms use: goldens, checks, schema evolution, skeletons."""
