"""The folder, record, events and session of a run, and the figures that papers published for such runs."""
