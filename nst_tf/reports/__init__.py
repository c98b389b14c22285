"""Reports about several runs: tables, figures, and a page that needs no network."""

from nst_tf.reports.report import write_report

__all__ = ["write_report"]
