"""Regions of the first frame, moved along by the optical flow to every other frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from nst_tf.images import Picture, Regions, read_picture, resize, write_picture
from nst_tf.images.in_memory import as_source
from nst_tf.images.masks import ALPHA, mask_of
from nst_tf.video.consistency import disoccluded, is_inside, targets_of, warp
from nst_tf.video.folder import VideoFolder
from nst_tf.video.neighbours import Flows

FLOW_SCALE = 8.0
"""Distance in pixels that counts as much as a difference of one pixel in the flow."""


@dataclass
class MovingMasks:
    """The masks, the label map and the semantic map of a film's frames.

    Those of the settings belong to the first frame. A later frame has those of the frame before, moved along by the
    flow. A position that comes into view takes the value of the nearest position that moves alike. The pictures are
    kept in the folder of the film, so that they can be looked at, corrected, and used by a continued film.

    Attributes:
        regions: The regions, with their pictures read.
        folder: The folder of the film.
        flows: Flows between the frames.
    """

    regions: Regions
    folder: VideoFolder
    flows: Flows

    def at(self, number: int) -> Regions:
        """Return the regions of a frame, numbered from 1."""
        if number == 1:
            return self.regions
        masks = self.regions.masks
        moved = {name: self._moved(mask, f"masks.{name}", number) for name, mask in (masks or {}).items()}
        maps = {key: self._moved(getattr(self.regions, key), key, number) for key in ("labels", "map")}
        return replace(self.regions, masks=moved or None, **maps)

    def _moved(self, picture: Any, key: str, number: int) -> Any:
        """Return a picture of the first frame at another frame; the transparency of the frames themselves stays."""
        if picture is None or picture == ALPHA:
            return picture
        move = move_labels if key == "labels" else move_softly
        for each in range(2, number + 1):
            path = self._path(key, each)
            if not path.exists():
                before = self._first(picture, key) if each == 2 else _pixels(self._path(key, each - 1))
                flow, back = self.flows.between(each, each - 1), self.flows.between(each - 1, each)
                hidden = disoccluded(flow, back, *self.flows.consistency.occlusion) | ~is_inside(flow)
                write_picture(path, fill_hidden(move(before, flow), flow, hidden))
        moved = as_source(f"regions.{key}", _pixels(self._path(key, number)))
        assert isinstance(moved, Picture)
        return replace(moved, source=f"{picture.source} (frame {number})")

    def _path(self, key: str, number: int) -> Path:
        return self.folder.path / "masks" / key / f"{number:06d}.png"

    def _first(self, picture: Picture, key: str) -> np.ndarray:
        """Return a picture of the settings at the size of the frames, ``(H, W, 3)``; a mask becomes grey."""
        frame = read_picture(str(self.folder.source_frame(1).absolute()), "video")
        height, width = frame.pixels.shape[:2]
        if key == "labels":  # resampling would mix the colours of regions
            rows, columns = (
                np.minimum((np.arange(new) + 0.5) * old // new, old - 1).astype(int)
                for new, old in zip((height, width), picture.pixels.shape[:2], strict=True)
            )
            return picture.pixels[rows][:, columns]
        if key == "map":
            return resize(picture.pixels, height, width)
        mask = resize(mask_of(picture, frame, f"regions.{key}", "the content"), height, width)
        return np.repeat(mask[..., None], 3, axis=2)


def move_softly(picture: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Return a picture ``(H, W, 3)`` moved along by a flow, interpolated bilinearly."""
    return warp(picture, flow, outside=None)


def move_labels(picture: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Return a label map ``(H, W, 3)`` moved along by a flow, with the nearest colour at each position."""
    limits = [side - 1 for side in picture.shape[:2]]
    rows, columns = (
        np.clip(np.rint(places), 0, limit).astype(int) for places, limit in zip(targets_of(flow), limits, strict=True)
    )
    return picture[rows, columns]


def fill_hidden(values: np.ndarray, flow: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Return values whose hidden positions have those of the nearest visible position that moves alike.

    What comes into view behind a moving thing belongs to the background, and moves with it. The distance is that of
    positions and of `FLOW_SCALE` times the flow.

    Args:
        values: ``(H, W, C)``.
        flow: ``(H, W, 2)``.
        hidden: ``(H, W)`` bool.
    """
    if hidden.all() or not hidden.any():
        return values
    rows, columns = np.mgrid[0 : hidden.shape[0], 0 : hidden.shape[1]]
    places = np.dstack([rows, columns, FLOW_SCALE * flow])
    _, nearest = cKDTree(places[~hidden]).query(places[hidden])
    filled = values.copy()
    filled[hidden] = values[~hidden][nearest]
    return filled


def _pixels(path: Path) -> np.ndarray:
    return read_picture(str(path.absolute()), "regions").pixels
