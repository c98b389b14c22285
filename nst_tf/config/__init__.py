"""The Config tree: what one experiment is, which settings decide a picture, and how Hydra composes it."""
