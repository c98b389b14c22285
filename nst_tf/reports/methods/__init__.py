"""Methods under equal conditions: sweeps of several methods over the same pictures become one table and one page."""
