"""The command line: Hydra composes a config, the Python API runs it, and errors become one line."""
