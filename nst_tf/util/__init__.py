"""Small helpers that every other package may use: tensors, errors, checks, files, lazy imports, roles."""
