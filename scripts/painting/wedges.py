"""Circles, diagonals and wedges: an abstract composition in oil with sharp edges."""

import numpy as np

from painting.colours import inks, ramp, turn
from painting.fields import Scene, noise_image, unit_length
from painting.strokes import Brush, Canvas, paint_scene

GROUNDS = inks("#f0bf5f #e08a3a #cf4f2f #5fb0a0 #2a6f9a #e89a8a #f4dc9a #5a72c0 #a83a5a #3a9a6a")
RINGS = inks("#d7261e #f4b400 #1d4e9e #f7e7c6 #0f7f6f #e8672a #4b2a7b #f28fa2 #162447 #a8c94b")
INK = "#10121f #2a2140 #1a2438"

# Centre x, y, outer radius and number of rings of each wheel.
WHEELS = (
    (0.33, 0.36, 0.275, 5),
    (0.77, 0.64, 0.215, 4),
    (0.80, 0.17, 0.125, 3),
    (0.17, 0.82, 0.135, 3),
    (0.52, 0.83, 0.075, 2),
)
# Corners of each wedge, and the index of its colour.
WEDGES = (
    (((0.02, 0.99), (0.60, 0.42), (0.43, 1.02)), 0),
    (((0.98, 0.02), (0.38, 0.56), (1.02, 0.30)), 2),
    (((0.02, 0.08), (0.60, 0.22), (0.02, 0.24)), 1),
    (((0.62, 1.02), (0.72, 0.38), (0.83, 1.02)), 5),
)
# The two ends and the width of each dark bar.
BARS = (
    ((0.00, 0.66), (1.00, 0.10), 0.020),
    ((0.10, 0.00), (0.66, 1.00), 0.014),
    ((0.46, 0.98), (1.00, 0.46), 0.024),
    ((0.00, 0.44), (0.44, 0.70), 0.010),
    ((0.56, 0.02), (0.98, 0.38), 0.011),
    ((0.05, 0.95), (0.36, 0.62), 0.012),
)


def paint(size: int, seed: int = 0) -> np.ndarray:
    """Paint the picture with a side in pixels and a seed; return ``(size, size, 3)`` sRGB in [0, 1]."""
    rng = np.random.default_rng([seed, 5])
    scene = Scene(size)
    # Distorted coordinates give slightly uneven lines.
    scene.x = scene.x + 0.0035 * noise_image(size, 7, rng, 2)
    scene.y = scene.y + 0.0035 * noise_image(size, 7, rng, 2)
    put_ground(scene, rng)
    put_wheels(scene, rng)
    put_wedges(scene, rng)
    put_bars(scene, rng)
    canvas = Canvas(size, scene.colour * 0.8)
    for brush in (
        Brush(30, 95, 2.4, 0.05, 0.22, 0.1),
        Brush(18, 70, 1.8, 0.05, 0.25, 0.12),
        Brush(10, 40, 0.7, 0.06, 0.3, 0.15),
    ):
        paint_scene(canvas, scene, brush, rng, crisp=True)
    return canvas.lit(unit_length(size), 0.5)


def put_ground(scene: Scene, rng: np.random.Generator) -> None:
    """Add a background of facets along two families of diagonals."""
    one = np.floor((scene.x + 0.62 * scene.y) * 3.1 + 0.25)
    two = np.floor((scene.y - 0.48 * scene.x) * 3.4 + 0.4)
    facets = (one * 11 + two).astype(int)
    for number in np.unique(facets):
        mask = facets == number
        base = GROUNDS[rng.integers(len(GROUNDS))]
        fade = 0.22 * noise_image(scene.size, 3, rng, 2) + 0.5 * (scene.y - scene.y[mask].mean())
        scene.put(mask, np.clip(base + fade[..., None] * [0.9, 0.7, 0.5], 0, 1), rng.choice([-0.55, 0.45, 1.1, -1.0]))


def put_wheels(scene: Scene, rng: np.random.Generator) -> None:
    """Add concentric rings, cut into sectors of contrasting colours."""
    for x, y, radius, rings in WHEELS:
        away = np.hypot(scene.x - x, scene.y - y) / radius
        bearing = np.arctan2(scene.y - y, scene.x - x)
        first = rng.uniform(-np.pi, np.pi)
        for ring in range(rings):
            inner, outer = ring / rings, (ring + 1) / rings
            cuts = np.sort(rng.uniform(0, 2 * np.pi, 2 + ring // 2))
            sector = np.searchsorted(cuts, (bearing - first) % (2 * np.pi))
            colours = rng.permutation(len(RINGS))
            for number in range(len(cuts) + 1):
                mask = (away >= inner) & (away < outer) & (sector == number)
                if mask.any():
                    tone = 0.10 * noise_image(scene.size, 6, rng, 2)[..., None]
                    scene.put(mask, np.clip(RINGS[colours[number]] + tone, 0, 1), bearing + np.pi / 2)


def put_wedges(scene: Scene, rng: np.random.Generator) -> None:
    """Add transparent wedges that rotate the hue of the colours below."""
    for corners, number in WEDGES:
        signs = []
        for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1], strict=True):
            signs.append((bx - ax) * (scene.y - ay) - (by - ay) * (scene.x - ax) > 0)
        mask = np.all(signs, axis=0) | ~np.any(signs, axis=0)
        (tip_x, tip_y), (base_x, base_y) = corners[1], corners[0]
        below = turn(scene.colour, 1.2, 1.2)
        fade = 0.74 + 0.16 * noise_image(scene.size, 3, rng, 2)
        glass = RINGS[number] * fade[..., None] + below * (1 - fade[..., None])
        for label in np.unique(scene.label[mask]):
            scene.put(mask & (scene.label == label), np.clip(glass, 0, 1), np.arctan2(tip_y - base_y, tip_x - base_x))


def put_bars(scene: Scene, rng: np.random.Generator) -> None:
    """Add dark bars that taper to one end."""
    for (ax, ay), (bx, by), width in BARS:
        length = np.hypot(bx - ax, by - ay)
        t = ((scene.x - ax) * (bx - ax) + (scene.y - ay) * (by - ay)) / length**2
        off = np.abs((bx - ax) * (scene.y - ay) - (by - ay) * (scene.x - ax)) / length
        mask = (t > 0) & (t < 1) & (off < width * (1 - 0.75 * t))
        scene.put(mask, ramp(INK, 0.5 + 0.5 * noise_image(scene.size, 8, rng)), np.arctan2(by - ay, bx - ax))
