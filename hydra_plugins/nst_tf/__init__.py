"""Launcher and sweeper for Hydra, in the package in which Hydra looks for plugins; see docs/sweeps.md."""
