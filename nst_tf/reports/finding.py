"""The search for folders of films, which reads no film, so that `compare` knows its kind before it loads more."""

import os
from pathlib import Path

from nst_tf.reports.reading import natural_key


def find_films(folder: str | Path) -> tuple[list[Path], list[Path]]:
    """Return the folders of films in and below a folder, and those of runs that are no frames, in natural order."""
    films: list[Path] = []
    runs: list[Path] = []
    for parent, children, files in os.walk(folder):
        for name, found in (("video.json", films), ("run.json", runs)):
            if name in files:
                children.clear()
                found.append(Path(parent))
    return sorted(films, key=natural_key), sorted(runs, key=natural_key)
