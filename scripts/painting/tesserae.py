"""Tesserae: nearly square Voronoi cells that follow a direction field."""

import numpy as np
from scipy import ndimage

from painting.colours import ink, jitter, ramp
from painting.fields import Scene, along, lookup, noise_image, smoothstep, unit_length
from painting.strokes import scatter

LLOYD_ITERATIONS = 14
"""Number of iterations in which each tile moves to the centre of its cell."""

SUPERSAMPLING = 2
"""Factor by which the final mosaic is computed larger than the picture."""


def follow(mask: np.ndarray, unit: float) -> np.ndarray:
    """Return the direction ``(H, W)`` along the outline of a shape, in radians, so that rows of tiles surround it."""
    depth = ndimage.distance_transform_edt(mask) - ndimage.distance_transform_edt(~mask)
    return along(ndimage.gaussian_filter(depth, 4 * unit))


def lay(scene: Scene, tile: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Lay tiles along the scene's directions, without crossing the outline of an object.

    The method is that of Hausner, "Simulating decorative mosaics", 2001. Lloyd's iteration with the metric
    ``max(|u|, |v|)`` in the rotated frame of each tile gives squares instead of hexagons.

    Args:
        scene: Scene whose ``angle`` rotates the tiles and whose ``label`` bounds them.
        tile: Side of a tile in pixels.
        rng: Source of the random numbers.

    Returns:
        Centres of the tiles ``(N, 2)`` as ``x, y`` in pixels, and the index of the tile of each fine pixel,
        ``(H * SUPERSAMPLING, W * SUPERSAMPLING)``.
    """
    sites = scatter(scene.size, tile, rng)
    aspect = rng.uniform(0.84, 1.2, len(sites))
    for _ in range(LLOYD_ITERATIONS):
        owner = nearest_tile(scene.label, scene.angle, sites, aspect, tile)
        sites = _centres(owner, sites)
    wobble = (
        np.stack([noise_image(scene.size * SUPERSAMPLING, 40, rng, 2) for _ in range(2)]) * 0.07 * tile * SUPERSAMPLING
    )
    fine = [np.kron(field, np.ones((SUPERSAMPLING, SUPERSAMPLING))) for field in (scene.label, scene.angle)]
    return sites, nearest_tile(fine[0], fine[1], sites * SUPERSAMPLING, aspect, tile * SUPERSAMPLING, wobble)


def nearest_tile(
    label: np.ndarray,
    angle: np.ndarray,
    sites: np.ndarray,
    aspect: np.ndarray,
    tile: float,
    wobble: np.ndarray | None = None,
) -> np.ndarray:
    """Assign every pixel to the nearest tile of its object.

    Args:
        label: Number of the visible object, ``(H, W)``.
        angle: Direction of the rows ``(H, W)`` in radians.
        sites: Centres ``(N, 2)`` as ``x, y`` in pixels.
        aspect: Length along the row divided by height, ``(N,)``.
        tile: Side of a tile in pixels.
        wobble: Unevenness of the cut ``(2, H, W)`` in pixels, or None.

    Returns:
        Indices ``(H, W)`` into ``sites``; −1 where no tile is near.
    """
    size, reach = len(label), int(2.2 * tile) + 1
    best = np.full(label.shape, np.inf)
    owner = np.full(label.shape, -1)
    labels, turns = lookup(label, sites), lookup(angle, sites)
    cosines, sines = np.cos(turns), np.sin(turns)
    for number, (x, y) in enumerate(sites):
        rows = slice(max(int(y) - reach, 0), min(int(y) + reach, size))
        columns = slice(max(int(x) - reach, 0), min(int(x) + reach, size))
        dy, dx = np.ogrid[rows, columns]
        dx, dy = dx + 0.5 - x, dy + 0.5 - y
        if wobble is not None:
            dx, dy = dx + wobble[0, rows, columns], dy + wobble[1, rows, columns]
        u, v = dx * cosines[number] + dy * sines[number], dy * cosines[number] - dx * sines[number]
        away = np.maximum(np.abs(u) / aspect[number], np.abs(v) * aspect[number])
        away = away + 2 * tile * (label[rows, columns] != labels[number])
        closer = away < best[rows, columns]
        best[rows, columns][closer] = away[closer]
        owner[rows, columns][closer] = number
    return owner


def _centres(owner: np.ndarray, sites: np.ndarray) -> np.ndarray:
    flat, (rows, columns) = owner.ravel(), np.indices(owner.shape)
    laid = flat >= 0
    weight = np.bincount(flat[laid], minlength=len(sites))
    total = [np.bincount(flat[laid], axis.ravel()[laid] + 0.5, minlength=len(sites)) for axis in (columns, rows)]
    return np.where(weight[:, None] > 0, np.stack(total, axis=-1) / np.maximum(weight, 1)[:, None], sites)


def render(scene: Scene, tile: float, gold: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Render the mosaic: cut, colour, tilt and grout the tiles, and light them from the upper left.

    Args:
        scene: Scene with colour, direction and label of every pixel.
        tile: Side of a tile in pixels.
        gold: Pixels ``(H, W)`` bool whose tiles are of gold glass.
        rng: Source of the random numbers.

    Returns:
        Picture ``(H, W, 3)`` in sRGB, in [0, 1].
    """
    sites, owner = lay(scene, tile, rng)
    size, unit = scene.size * SUPERSAMPLING, unit_length(scene.size) * SUPERSAMPLING
    depth = _depth(owner) / unit
    tilt = rng.normal(0, 1, (len(sites), 2))
    height = 0.8 * smoothstep(0.6, 2.8, depth) + 0.06 * noise_image(size, 90, rng, 2)
    down, right = np.gradient(ndimage.gaussian_filter(height, 0.5 * unit))
    y, x = np.indices(owner.shape) + 0.5
    across = np.stack([x - SUPERSAMPLING * sites[owner, 0], y - SUPERSAMPLING * sites[owner, 1]], axis=-1) / (
        tile * SUPERSAMPLING
    )
    slope = unit * (0.6 * right + 0.8 * down) + 0.12 * (tilt[owner] * across).sum(axis=-1)
    colours = jitter(lookup(scene.colour, sites), rng, 0.06, 0.025, 0.25)
    metal = lookup(gold, sites)
    colours[metal] = _leaf(colours[metal], rng)
    gloss = np.where(metal[owner], 0.5, 0.16)[..., None] * np.clip(slope - 0.04, 0, 0.6)[..., None]
    glass = (
        colours[owner] * (1 + 0.65 * np.clip(slope, -0.45, 0.45) + 0.05 * noise_image(size, 60, rng))[..., None] + gloss
    )
    joint = ink("#4a4038") * (0.9 + 0.3 * noise_image(size, 120, rng, 2))[..., None]
    laid = smoothstep(0.7, 1.6, depth + 0.25 * noise_image(size, 70, rng, 2))[..., None]
    fine = np.clip(joint + laid * (glass - joint), 0, 1)
    return fine.reshape(scene.size, SUPERSAMPLING, scene.size, SUPERSAMPLING, 3).mean(axis=(1, 3))


def _depth(owner: np.ndarray) -> np.ndarray:
    """Return the distance of every pixel to the edge of its tile."""
    edge = np.zeros(owner.shape, bool)
    edge[:, 1:] |= owner[:, 1:] != owner[:, :-1]
    edge[1:] |= owner[1:] != owner[:-1]
    return ndimage.distance_transform_edt(~edge)


def _leaf(colours: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return gold colours, mostly either bright or bronze, as for pieces at random angles."""
    bright = rng.beta(0.9, 0.8, len(colours))
    return ramp("#8a4a08 #c9820f #f2b01e #ffd23f #fff0a0", bright)
