"""Benchmarks of this program against a PyTorch implementation of other programs' published settings.

`measurements` starts the work. `ours` and `pytorch` are the two sides; each is imported only in processes of its own.
"""
