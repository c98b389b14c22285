"""Runs side by side: a table, figures, and a page that opens from disk without a network."""

from nst_tf.reports.report import write_report

__all__ = ["write_report"]
