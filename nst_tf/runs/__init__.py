"""A run on disk and in time: its folder, its events, its session, and the figures a paper published for it."""
