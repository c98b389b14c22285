"""The other frames that a frame uses: their flow, their warped results, and the target of the temporal loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from nst_tf.images import read_picture, to_bytes
from nst_tf.video.consistency import Consistency, long_term_weights
from nst_tf.video.flow import Flow, FlowMethod, read_flo, write_flo
from nst_tf.video.folder import VideoFolder
from nst_tf.video.scenes import Scene


class Neighbour(NamedTuple):
    """Another frame, as the present one sees it.

    Attributes:
        warped: ω, its result moved along by the flow, ``(H, W, 3)``.
        weights: c, the positions that both frames show, ``(H, W)``.
    """

    warped: np.ndarray
    weights: np.ndarray


@dataclass
class Flows:
    """Flows between frames, numbered from 1; each is computed once and kept in the folder.

    Attributes:
        settings: Method of the flow.
        consistency: Constants of the weights.
        folder: Folder of the film, with the frames of the source.
        scene: The made-up scene and the numbers of its frames, for ``flow.method=exact``; None for any other film.
        numbers: Function from the number of a frame to its index in the source.
    """

    settings: Flow
    consistency: Consistency
    folder: VideoFolder
    scene: Scene | None = None
    numbers: Callable[[int], int] = lambda number: number - 1

    def between(self, start: int, end: int) -> np.ndarray:
        """Return the flow from one frame to another, ``(H, W, 2)`` float32.

        Raises:
            InputError: The file of another program is missing, or has another size.
        """
        if self.settings.method is FlowMethod.exact:
            return self._resized_scene().flow(self.numbers(start), self.numbers(end))
        first = _pixels(self.folder, start)
        if self.settings.method is FlowMethod.files:
            return read_flo(self.settings.file(start, end), first.shape[:2])
        path = self.folder.flow(start, end)
        if path.exists():
            return read_flo(path, first.shape[:2])
        flow = self.settings.between(first, _pixels(self.folder, end))
        write_flo(path, flow)
        return flow

    def _resized_scene(self) -> Scene:
        """Return the made-up scene at the size of the frames."""
        assert self.scene is not None
        return self.scene.resized(*_pixels(self.folder, 1).shape[:2])

    def weights(self, start: int, end: int) -> np.ndarray:
        """Return the consistency weights of a frame towards another, ``(H, W)`` float32."""
        return self.consistency.weights(self.between(start, end), self.between(end, start))

    def known(self) -> Flows:
        """Return the known flows of a made-up scene, and these flows for any other film."""
        return self if self.scene is None else replace(self, settings=Flow(method=FlowMethod.exact))

    def visible(self, start: int, end: int) -> np.ndarray | None:
        """Return the positions of a frame that another shows, ``(H, W)`` bool; None without a known flow."""
        if self.settings.method is not FlowMethod.exact:
            return None
        return self._resized_scene().visible(self.numbers(start), self.numbers(end))


def temporal_target(
    neighbours: Sequence[Neighbour], shape: tuple[int, int], root: bool = False
) -> dict[str, np.ndarray]:
    """Return the target of `nst_tf.losses.temporal.TemporalLoss`.

    Args:
        neighbours: Earlier frames, the nearest first. Each position counts towards the nearest that shows it, see
            `long_term_weights`. Without any, the weights are 0 everywhere.
        shape: Height and width of the frame.
        root: Whether the loss has the roots of the weights; see `nst_tf.video.settings.Temporal.root_weights`.

    Returns:
        ``image`` ``(H, W, 3)``, ``weights`` ``(H, W, 1)`` and ``spread`` ``(H, W, 3)``, float32.
    """
    if not neighbours:
        empty = np.zeros((*shape, 3), np.float32)
        return {"image": empty, "weights": empty[..., :1], "spread": empty}
    shares = [weights[..., None] for weights in long_term_weights([each.weights for each in neighbours])]
    shares = [np.sqrt(share) for share in shares] if root else shares
    pairs = [(share, each.warped) for share, each in zip(shares, neighbours, strict=True)]
    total = sum(share for share, _ in pairs)
    mean = sum(share * warped for share, warped in pairs) / np.maximum(total, 1e-12)
    spread = sum(share * warped**2 for share, warped in pairs) - total * mean**2
    spread = np.maximum(spread, 0) if len(pairs) > 1 else np.zeros_like(mean)
    arrays = {"image": mean, "weights": total, "spread": spread}
    return {name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}


def blended_start(own: np.ndarray, neighbour: Neighbour, blend: float) -> np.ndarray:
    """Return ``(x + b c ω) / (1 + b c)``, the start of a frame in a later pass.

    Args:
        own: x, the result of the pass before, ``(H, W, 3)``.
        neighbour: The neighbour that the pass has just finished.
        blend: The factor b.
    """
    share = blend * neighbour.weights[..., None]
    return ((own + share * neighbour.warped) / (1 + share)).astype(np.float32)


def _pixels(folder: VideoFolder, number: int) -> np.ndarray:
    """Return a frame of the source, ``(H, W, 3)`` uint8."""
    return to_bytes(read_picture(str(folder.source_frame(number).absolute()), "video").pixels)
