"""Where Hydra looks for launchers and sweepers; see docs/sweeps.md."""
