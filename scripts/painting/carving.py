"""Cutting and printing of wood blocks: gouged lines along the form, ink grain, and plates slightly off register."""

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from painting.fields import Scene, lookup, noise, noise_image, unit_length
from painting.strokes import scatter

SUPERSAMPLING = 3
"""Factor by which a plate is drawn larger than the picture."""

PATH_POINTS = 26
"""Number of segments of a gouge's path."""


def trace_both_ways(angle: np.ndarray, starts: np.ndarray, step: float) -> np.ndarray:
    """Follow a direction field from the middle of each line to its two ends.

    Args:
        angle: Directions ``(H, W)`` in radians.
        starts: Middles ``(N, 2)`` of the lines as ``x, y`` in pixels.
        step: Length of a segment in pixels.

    Returns:
        Paths ``(N, PATH_POINTS + 1, 2)`` as ``x, y`` in pixels.
    """
    halves = []
    for sign in (-1, 1):
        path = [starts]
        for _ in range(PATH_POINTS // 2):
            heading = lookup(angle, path[-1])
            path.append(path[-1] + sign * step * np.stack([np.cos(heading), np.sin(heading)], axis=-1))
        halves.append(np.stack(path, axis=1))
    return np.concatenate([halves[0][:, :0:-1], halves[1]], axis=1)


def free_segment(taken: np.ndarray, belongs: np.ndarray) -> slice:
    """Return the part of a path around its middle that is not taken and belongs to the same object."""
    free = ~taken & belongs
    middle = len(free) // 2
    if not free[middle]:
        return slice(0, 0)
    before = np.flatnonzero(~free[:middle])
    after = np.flatnonzero(~free[middle:])
    return slice(before[-1] + 1 if len(before) else 0, middle + after[0] if len(after) else len(free))


def space_evenly(scene: Scene, spacing: float, rng: np.random.Generator) -> list[np.ndarray]:
    """Choose lines along the scene's directions that keep a distance from one another.

    The method is that of Jobard and Lefer, "Creating evenly-spaced streamlines of arbitrary density", 1997, with random
    starting points instead of their queue.

    Args:
        scene: Scene whose ``angle`` directs the lines and whose ``label`` bounds them.
        spacing: Distance of neighbouring lines in pixels.
        rng: Source of the random numbers.

    Returns:
        Paths ``(K, 2)`` as ``x, y`` in pixels.
    """
    step = 0.55 * spacing
    cell = spacing / 4
    starts = scatter(scene.size, 0.42 * spacing, rng)
    paths = trace_both_ways(scene.angle, starts, step)
    labels = lookup(scene.label, paths)
    side = int(scene.size / cell) + 1
    taken = np.zeros((side, side), bool)
    dy, dx = np.mgrid[-4:5, -4:5]
    disc = np.stack([dx, dy], axis=-1)[np.hypot(dx, dy) <= 3.6]
    chosen = []
    for path, label in zip(paths, labels, strict=True):
        cells = np.clip((path / cell).astype(int), 0, side - 1)
        run = free_segment(taken[cells[:, 1], cells[:, 0]], label == label[len(label) // 2])
        run = slice(run.start, min(run.stop, run.start + rng.integers(9, len(path) + 8)))
        if run.stop - run.start < 4:
            continue
        around = np.clip(cells[run][:, None] + disc, 0, side - 1).reshape(-1, 2)
        taken[around[:, 1], around[:, 0]] = True
        chosen.append(path[run])
    return chosen


def cut(drawing: ImageDraw.ImageDraw, path: np.ndarray, widths: np.ndarray, rng: np.random.Generator) -> None:
    """Cut one gouge, which is thin at both ends and wide between.

    Args:
        drawing: Plate at `SUPERSAMPLING` times the picture's size, where 0 is wood that takes no ink.
        path: Path ``(K, 2)`` as ``x, y`` in pixels.
        widths: Widths ``(K,)`` in pixels.
        rng: Source of the random numbers.
    """
    t = np.linspace(0, 1, len(path))
    peak = rng.uniform(0.35, 0.7)
    swell = np.where(t < peak, t / peak, (1 - t) / (1 - peak)) ** rng.uniform(0.45, 0.75)
    along = np.gradient(path, axis=0)
    normal = np.stack([-along[:, 1], along[:, 0]], axis=-1) / (np.hypot(*along.T)[:, None] + 1e-9)
    uneven = 1 + 0.16 * rng.normal(0, 1, (2, len(path)))
    half = (0.5 * widths * swell)[:, None]
    outline = np.concatenate(
        [path + half * uneven[0][:, None] * normal, (path - half * uneven[1][:, None] * normal)[::-1]]
    )
    drawing.polygon([(float(x), float(y)) for x, y in outline * SUPERSAMPLING], fill=0)


def plate(
    scene: Scene, tone: np.ndarray, lines: list[np.ndarray], spacing: float, rng: np.random.Generator
) -> np.ndarray:
    """Carve a plate: the wood stays where the tone is 1, is removed where it is 0, and is gouged between.

    Args:
        scene: Scene of the picture's size.
        tone: Share of ink ``(H, W)`` in [0, 1].
        lines: Paths of the gouges.
        spacing: Distance of neighbouring lines in pixels.
        rng: Source of the random numbers.

    Returns:
        Share of each pixel that takes ink, ``(H, W)`` in [0, 1].
    """
    unit, size = unit_length(scene.size), scene.size * SUPERSAMPLING
    ragged = tone + 0.05 * noise_image(scene.size, 70, rng, 2)
    solid = Image.fromarray(((ragged > 0.12) * 255).astype(np.uint8)).resize((size, size), Image.Resampling.BICUBIC)
    block = solid.point([255 * (value > 127) for value in range(256)])
    drawing = ImageDraw.Draw(block)
    for path in lines:
        light = 1 - lookup(tone, path)
        widths = spacing * np.clip(1.25 * light - 0.06, 0, 0.95) * rng.uniform(0.75, 1.15)
        if widths.max() > 0.9 * unit:
            cut(drawing, path, np.maximum(widths, 0.3 * unit), rng)
    return np.asarray(block.resize((scene.size, scene.size), Image.Resampling.BOX)) / 255


def contours(scene: Scene, width: float, rng: np.random.Generator) -> np.ndarray:
    """Draw the outline of every object with a line of varying width, ``(H, W)`` in [0, 1]."""
    edge = np.zeros(scene.label.shape, bool)
    edge[:, 1:] |= scene.label[:, 1:] != scene.label[:, :-1]
    edge[1:] |= scene.label[1:] != scene.label[:-1]
    away = ndimage.distance_transform_edt(~edge)
    return np.clip(width * (0.55 + 0.45 * noise_image(scene.size, 9, rng)) - away + 0.5, 0, 1)


def grain(size: int, rng: np.random.Generator) -> np.ndarray:
    """Return the ink that the wood leaves, with fibres, growth rings and bare specks, ``(H, W)`` in [0, 1]."""
    centres = (np.arange(size) + 0.5) / size
    x, y = np.meshgrid(centres, centres)
    bow = y + 0.05 * noise(x, y, 1.5, rng, 2)
    rings = np.sin(2 * np.pi * 17 * bow + 2 * noise(x * 0.4, bow, 6, rng, 2))
    fibres = noise(x * 5, y * 110, 1.0, rng, 2)
    specks = noise_image(size, 190, rng, 2)
    ink_left = 0.93 + 0.05 * rings + 0.11 * fibres + 0.04 * specks - 0.55 * (specks + 0.5 * fibres > 1.12)
    return np.clip(ink_left, 0, 1)


def press(
    paper: np.ndarray, wood: np.ndarray, colour: np.ndarray, offset: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Print one plate over the earlier ones.

    Args:
        paper: Paper with the earlier plates, ``(H, W, 3)`` in sRGB, in [0, 1].
        wood: Share of each pixel that takes ink, ``(H, W)``.
        colour: Colour of the transparent ink, ``(3,)``.
        offset: Error of registration as ``x, y`` in pixels.
        rng: Source of the random numbers.

    Returns:
        Picture ``(H, W, 3)`` in sRGB, in [0, 1].
    """
    moved = np.clip(ndimage.shift(wood, offset[::-1], order=1, mode="nearest"), 0, 1)
    rim = moved - ndimage.gaussian_filter(moved, 2.0 * unit_length(len(paper)))  # ink is squeezed to the edges
    amount = moved * grain(len(paper), rng) * (0.95 + 0.35 * rim)
    covered = np.clip(amount, 0, 1)[..., None]
    return paper * (1 - covered * (1 - colour)) * (1 - 0.35 * covered) + 0.35 * covered * colour
