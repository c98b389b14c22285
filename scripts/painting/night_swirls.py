"""Night over a harvested field, in curved impasto strokes along a swirling stream function."""

import numpy as np

from painting.colours import ramp
from painting.fields import Scene, along, noise_image, ridge, smoothstep, unit_length
from painting.strokes import Brush, Canvas, paint_scene

NIGHT = "#0b1440 #13256b #1d4796 #2f74b8 #1b3a86 #5fa3c9 #173078 #a9cfd0 #2a5aa5 #0e1b52"
GLOW = "#fff6c2 #ffe066 #f8b92c #f3d36b #c9d59a #7fb6b4 #3f7fb5"
HILLS = "#1d2a6b #2f6f8f #5b57b0 #4fa39a #8a6fb8 #2b3f86 #3f8a7a"
FIELD = "#7a3b12 #c9821d #f0b62f #a85a17 #f6d060 #d99a25 #6b5a1e #8a8f3a #e8a62a"
STACK = "#3f1f3a #8a2f2a #d2691e #f5a623 #ffe79a"
TREES = "#08202b #0f4038 #1f6a4a #0d2f45 #5f9440 #174f52"

# Each disc has x, y and radius; each swirl has x, y, spread and the sign of its rotation.
DISCS = (
    (0.79, 0.17, 0.078),
    (0.10, 0.12, 0.034),
    (0.33, 0.09, 0.026),
    (0.55, 0.10, 0.030),
    (0.93, 0.42, 0.028),
    (0.08, 0.45, 0.030),
    (0.60, 0.47, 0.022),
)
SWIRLS = (
    (0.30, 0.32, 0.105, 1),
    (0.565, 0.29, 0.080, -1),
    (0.78, 0.45, 0.055, 1),
    (0.13, 0.28, 0.05, -1),
    (0.40, 0.50, 0.05, -1),
)
STACKS = ((0.24, 0.86, 0.085), (0.70, 0.80, 0.060), (0.86, 0.90, 0.10))
CROWNS = (
    (0.045, 0.640, 0.065),
    (0.13, 0.668, 0.045),
    (0.47, 0.672, 0.035),
    (0.535, 0.664, 0.045),
    (0.955, 0.655, 0.06),
)


def paint(size: int, seed: int = 0) -> np.ndarray:
    """Paint the picture with a side in pixels and a seed; return ``(size, size, 3)`` sRGB in [0, 1]."""
    rng = np.random.default_rng([seed, 1])
    scene = Scene(size)
    put_sky(scene, rng)
    put_hills(scene, rng)
    put_field(scene, rng)
    put_trees(scene, rng)
    put_stacks(scene, rng)
    canvas = Canvas(size, scene.colour)
    for brush in (Brush(24, 80, 2.2, 0.05, 0.25), Brush(14, 58, 2.4, 0.06, 0.3), Brush(9, 40, 1.3, 0.075, 0.35)):
        paint_scene(canvas, scene, brush, rng)
    return canvas.lit(unit_length(size), 0.55)


def distance(scene: Scene, x: float, y: float) -> np.ndarray:
    """Return the distance ``(H, W)`` of every pixel from a point, in sides of the picture."""
    return np.hypot(scene.x - x, scene.y - y)


def put_sky(scene: Scene, rng: np.random.Generator) -> None:
    """Add blue bands along a flow around swirls and discs; the colour of a band depends on its stream function."""
    wind = 0.05 * np.sin(2 * np.pi * (0.9 * scene.x + 0.15)) + 0.05 * noise_image(scene.size, 3, rng, 2)
    stream = scene.y + wind
    for x, y, spread, turn in SWIRLS:
        stream = stream + turn * 3.2 * spread * np.exp(-((distance(scene, x, y) / spread) ** 2) / 2)
    for x, y, radius in DISCS:
        stream = stream + 6.0 * radius * np.exp(-((distance(scene, x, y) / (1.5 * radius)) ** 2) / 2)
    tone = 0.5 + 0.5 * np.sin(2 * np.pi * (8.5 * stream + 0.5 * noise_image(scene.size, 4, rng)))
    colour = ramp(NIGHT, np.clip(0.85 * tone + 0.12 * noise_image(scene.size, 9, rng) + 0.08 * scene.y, 0, 1))
    for x, y, radius in DISCS:
        away = distance(scene, x, y) / radius
        halo = ramp(GLOW, away / 3.1 + 0.035 * np.sin(9 * away))
        colour = colour + (1 - smoothstep(1.9, 3.3, away))[..., None] * (halo - colour)
    scene.put(np.ones_like(scene.x, bool), colour, along(stream))
    for x, y, radius in DISCS:
        disc = distance(scene, x, y) < radius
        scene.put(disc, scene.colour, scene.angle)


def put_hills(scene: Scene, rng: np.random.Generator) -> None:
    """Add two violet ranges whose strokes follow their slopes."""
    for level, height in ((0.60, 0.055), (0.665, 0.035)):
        top = ridge(scene.x, level, height, 3.3, rng)
        depth = scene.y - top + 0.012 * noise_image(scene.size, 5, rng)
        tone = 0.5 + 0.5 * np.sin(2 * np.pi * (depth * 14 + 0.6 * noise_image(scene.size, 5, rng)))
        scene.put(scene.y > top, ramp(HILLS, tone + 0.5 * (level - 0.63)), along(depth))


def put_field(scene: Scene, rng: np.random.Generator) -> None:
    """Add a stubble field with furrows that converge to a point on the horizon."""
    top = ridge(scene.x, 0.715, 0.012, 3, rng)
    depth = scene.y - 0.60
    furrow = (
        (scene.x - 0.56) / (depth + 0.03) + 0.6 * depth * np.sin(9 * scene.y) + 0.12 * noise_image(scene.size, 6, rng)
    )
    tone = 0.5 + 0.5 * np.sin(2 * np.pi * furrow * 2.3)
    colour = ramp(FIELD, 0.15 + 0.7 * tone + 0.22 * noise_image(scene.size, 10, rng))
    scene.put(scene.y > top, colour, along(furrow) + 0.35 * noise_image(scene.size, 5, rng))


def put_trees(scene: Scene, rng: np.random.Generator) -> None:
    """Add round crowns whose strokes spiral inwards."""
    for x, y, radius in CROWNS:
        away = distance(scene, x, y) / radius + 0.16 * noise_image(scene.size, 16, rng, 2)
        light = 0.5 + (x + 0.6 * y - scene.x - scene.y * 0.6) / radius * -0.18 - 0.3 * (scene.y - y) / radius
        tone = light + 0.3 * np.sin(8 * away)
        scene.put(away < 1, ramp(TREES, tone), along(away) + 0.5)


def put_stacks(scene: Scene, rng: np.random.Generator) -> None:
    """Add haystacks, lit by the large disc, each with a blue shadow on the field."""
    for x, y, radius in STACKS:
        across, up = (scene.x - x) / radius, (y - scene.y) / radius
        shadow = np.hypot((across + 0.75) / 1.5, (up + 0.30) / 0.28) < 1
        scene.put(shadow, ramp("#1b2a5e #37407f #5a3f5f", 0.5 + 0.5 * noise_image(scene.size, 12, rng)), 0.1)
        dome = (np.abs(across) ** 2.2 + (np.clip(up + 0.35, 0, None) / 1.25) ** 1.7 < 1) & (up > -0.35)
        tone = 0.48 + 0.5 * across + 0.15 * up + 0.14 * noise_image(scene.size, 14, rng)
        scene.put(dome, ramp(STACK, tone), np.arctan2(1.0, 0.9 * across))
