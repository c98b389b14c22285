"""Measuring this program against a PyTorch rendering of its peers, on one machine in one run.

`measurements` drives; `ours` and `pytorch` are the two sides, each loaded only in processes of its own.
"""
