"""A river between trees on a late afternoon, in dots of divided colour."""

import numpy as np
from scipy import ndimage

from painting.colours import jitter, ramp, to_lab, to_rgb, turn
from painting.fields import Scene, along, lookup, noise_image, ridge, smoothstep, unit_length
from painting.strokes import scatter

SKY = "#3a68c8 #5f92dc #8fb8e8 #d8b8d8 #f8c8a0 #ffd870"
CLOUD = "#9a86c8 #e89aa8 #f8c898 #ffe9b0"
FAR = "#6a6fc0 #7f9ad0 #8fb8b0 #a890c8"
MEADOW = "#2f7a3a #6fae3a #b8cf45 #f0d84a #f2b43a #5a9a4a"
LEAVES = "#16245f #1f4a6a #1f7a4a #5fae3a #c8d83f #ffe45a"
AUTUMN = "#4a1a5f #8a2a4a #d2502a #f08a2a #ffd04a"
WATER = "#2a4fa0 #3f7fc8 #6fb0d8 #f6c9a0 #ffe7a0"
TRUNK = "#2a1a4a #5a2f4a #a8603a"
HORIZON = 0.46
# Foot x, foot y, height, breadth and leaf colours of each tree, from back to front.
TREES = (
    (0.30, 0.495, 0.12, 0.075, LEAVES), (0.385, 0.49, 0.10, 0.06, AUTUMN), (0.675, 0.485, 0.13, 0.05, LEAVES),
    (0.72, 0.49, 0.17, 0.045, LEAVES), (0.765, 0.495, 0.14, 0.05, AUTUMN), (0.20, 0.55, 0.26, 0.16, LEAVES),
    (0.88, 0.60, 0.42, 0.21, AUTUMN), (0.06, 0.70, 0.56, 0.24, LEAVES),
)  # fmt: skip
LIGHT = 0.62
"""Coordinate x of the sun, which is behind the haze at the horizon."""


def paint(size: int, seed: int = 0) -> np.ndarray:
    """Paint the picture with a side in pixels and a seed; return ``(size, size, 3)`` sRGB in [0, 1]."""
    rng = np.random.default_rng([seed, 4])
    scene = Scene(size)
    put_sky(scene, rng)
    put_land(scene, rng)
    put_river(scene, rng)
    for tree in TREES:
        put_tree(scene, rng, *tree)
    return dot(scene, rng)


def put_sky(scene: Scene, rng: np.random.Generator) -> None:
    """Add a sky from blue to gold, with banks of cloud."""
    x, y = scene.x, scene.y
    glow = np.exp(-(((x - LIGHT) / 0.35) ** 2 + ((y - HORIZON) / 0.22) ** 2))
    colour = ramp(SKY, y / HORIZON * 0.85 + 0.3 * glow + 0.08 * noise_image(scene.size, 4, rng))
    form = noise_image(scene.size, 4.5, rng, 4) + 0.25 * np.sin(2 * np.pi * (5.5 * y + 0.6 * x)) - 0.2
    cloud = smoothstep(0.0, 0.4, form) * smoothstep(0.46, 0.3, y)
    colour = colour + 0.92 * cloud[..., None] * (ramp(CLOUD, 0.25 + 1.1 * form) - colour)
    scene.put(np.ones_like(x, bool), colour, along(y + 0.03 * form))


def put_land(scene: Scene, rng: np.random.Generator) -> None:
    """Add blue hills and a meadow with bands of light and shade."""
    x, y = scene.x, scene.y
    for level, height, shift in ((0.415, 0.03, 0.0), (0.445, 0.02, 0.4)):
        top = ridge(x, level, height, 3.5, rng)
        scene.put(y > top, ramp(FAR, shift + 5 * (y - top) + 0.3 * noise_image(scene.size, 7, rng)), along(y - top))
    top = ridge(x, HORIZON + 0.015, 0.008, 4, rng)
    depth = y - top
    bands = np.sin(2 * np.pi * (7 * np.sqrt(np.clip(depth, 0, None)) + 0.8 * noise_image(scene.size, 3, rng)))
    colour = ramp(MEADOW, 0.48 + 0.33 * bands + 0.22 * noise_image(scene.size, 12, rng))
    scene.put(depth > 0, colour, along(depth + 0.05 * noise_image(scene.size, 5, rng)))


def put_river(scene: Scene, rng: np.random.Generator) -> None:
    """Add a winding river that reflects the sky and the far trees in horizontal strokes."""
    x, y = scene.x, scene.y
    near = np.clip((y - HORIZON - 0.015) / (1 - HORIZON), 0, 1)
    middle = LIGHT - 0.05 - 0.30 * np.sin(3.3 * near) * near**0.6 + 0.12 * near
    width = 0.012 + 0.30 * near**1.35
    off = (x - middle) / width
    ripple = noise_image(scene.size, 5, rng) + np.sin(
        2 * np.pi * (34 * near**0.7 + 1.5 * noise_image(scene.size, 2.5, rng))
    )
    tone = 0.62 - 0.42 * np.abs(off) + 0.20 * ripple + 0.45 * np.exp(-((off / 0.35) ** 2)) * (1 - near) - 0.15 * near
    river = (np.abs(off) < 1 + 0.06 * noise_image(scene.size, 9, rng)) & (near > 0)
    bank = (np.abs(off) < 1.12 + 0.1 * noise_image(scene.size, 9, rng)) & (near > 0)
    scene.put(bank, ramp("#3a2a6a #7a4a5a #e0a050", 0.5 + 0.5 * noise_image(scene.size, 10, rng)), np.pi / 2)
    scene.put(river, ramp(WATER, tone), 0.0)
    mirrored = river & (off < -0.25 + 0.2 * np.sin(30 * near) + 0.25 * noise_image(scene.size, 6, rng))
    scene.put(mirrored, ramp("#1f3f6a #2a7a6a #6fa84a #d0c04a", tone + 0.1), 0.0)
    warm = river & (off > 0.42 + 0.2 * np.sin(26 * near) + 0.25 * noise_image(scene.size, 6, rng))
    scene.put(warm, ramp("#4a2a7a #a8405a #e8803a #f8c860", tone + 0.15), 0.0)


def put_tree(
    scene: Scene, rng: np.random.Generator, foot_x: float, foot_y: float, height: float, breadth: float, leaves: str
) -> None:
    """Add a shadow, a trunk and a crown of clumps, each lit from the side of the sun."""
    x, y = scene.x, scene.y
    away = np.sign(foot_x - LIGHT)
    shade = np.hypot((x - foot_x - away * 0.5 * breadth) / breadth, (y - foot_y) / (0.10 * height)) < 1
    scene.put(
        shade & (y > HORIZON + 0.02), ramp("#1a2a6a #2a5a6a #3a3a8a", 0.5 + 0.5 * noise_image(scene.size, 12, rng)), 0.0
    )
    bend = foot_x + 0.1 * breadth * np.sin(5 * (foot_y - y) / height)
    trunk = (
        (np.abs(x - bend) < 0.055 * breadth * (1 + 1.2 * (y - foot_y + height) / height))
        & (y < foot_y)
        & (y > foot_y - 0.7 * height)
    )
    scene.put(trunk, ramp(TRUNK, 0.5 - 7 * away * (x - bend) / breadth), np.pi / 2)
    for _ in range(13):
        turned, out = rng.uniform(0, 2 * np.pi), np.sqrt(rng.random())
        at_x = foot_x + 0.62 * breadth * out * np.cos(turned)
        at_y = foot_y - 0.64 * height + 0.30 * height * out * np.sin(turned)
        radius = rng.uniform(0.30, 0.46) * min(breadth, 0.62 * height)
        ragged = 0.25 * noise_image(scene.size, 3.2 / radius, rng, 2)
        dx, dy = (x - at_x) / radius, (y - at_y) / (0.85 * radius)
        clump = np.hypot(dx, dy) + ragged < 1
        lit = (
            0.46 - 0.30 * away * dx - 0.26 * dy + 0.5 * ragged - 0.16 * (at_y - foot_y + 0.64 * height) / (0.3 * height)
        )
        scene.put(clump, ramp(leaves, lit), along(np.hypot(dx, dy)))


def dot(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """Paint the dots, from broad to fine, the finest mainly where the scene has detail."""
    unit = unit_length(scene.size)
    canvas = ndimage.gaussian_filter(turn(scene.colour, np.pi, 0.35), (6 * unit, 6 * unit, 0)) * 0.6 + 0.3
    height = 0.05 * noise_image(scene.size, 120, rng, 2)
    lightness = to_lab(scene.colour)[..., 0]
    detail = ndimage.gaussian_filter(ndimage.gaussian_gradient_magnitude(lightness, 1.2 * unit), 3 * unit) * unit
    for radius, coverage, spread in ((7.0, 1.7, 1.0), (4.9, 1.9, 1.15), (3.4, 0.9, 1.3)):
        points = scatter(scene.size, unit * radius * np.sqrt(np.pi / coverage), rng, margin=unit * radius)
        keep = rng.random(len(points)) < (1.0 if radius > 4 else 0.35 + 22 * lookup(detail, points))
        set_dots(canvas, height, scene, points[keep], unit * radius, spread, rng)
    down, right = np.gradient(ndimage.gaussian_filter(height, 0.6 * unit))
    slope = np.clip(unit * (0.6 * right + 0.8 * down), -0.5, 0.5)[..., None]
    return np.clip(canvas * (1 + 0.42 * slope), 0, 1)


def divide(colours: np.ndarray, spread: float, rng: np.random.Generator) -> np.ndarray:
    """Replace each colour by one of the purer colours whose optical mixture it is.

    Args:
        colours: Colours ``(N, 3)`` in sRGB, in [0, 1].
        spread: Distance of the purer colours from the mixture.
        rng: Source of the random numbers.

    Returns:
        Colours ``(N, 3)`` in sRGB, in [0, 1]. Most have a neighbouring hue and a higher chroma; one in eight is the
        complement.
    """
    kind = rng.random(len(colours))
    side = np.where(kind < 0.4, -0.48, np.where(kind < 0.8, 0.48, 0.0)) * spread
    side = np.where(kind > 0.88, np.pi, side)
    purer = turn(colours, side, np.where(kind > 0.88, 0.9, 1.3))
    lab = to_lab(jitter(purer, rng, 0.05, 0.02, 0.1))
    lab[:, 0] += rng.normal(0, 0.035, len(lab)) * spread - 0.05 * (kind > 0.88)
    return to_rgb(lab)


def set_dots(
    canvas: np.ndarray,
    height: np.ndarray,
    scene: Scene,
    points: np.ndarray,
    radius: float,
    spread: float,
    rng: np.random.Generator,
) -> None:
    """Paint dots with the tip of a round brush, slightly elongated along the direction of the scene.

    Args:
        canvas: Colours ``(H, W, 3)``, changed in place.
        height: Relief ``(H, W)``, changed in place.
        scene: Scene with the colours and directions.
        points: Centres ``(N, 2)`` as ``x, y`` in pixels.
        radius: Mean radius in pixels.
        spread: Argument of `divide`.
        rng: Source of the random numbers.
    """
    count = len(points)
    colours = divide(lookup(scene.colour, points), spread, rng)
    turns = lookup(scene.angle, points) + rng.normal(0, 0.25, count)
    radii, long = radius * rng.uniform(0.7, 1.25, count), rng.uniform(1.0, 1.55, count)
    phases = rng.uniform(0, 2 * np.pi, count)
    for (x, y), colour, angle, r, stretch, phase in zip(points, colours, turns, radii, long, phases, strict=True):
        reach = int(r * stretch) + 2
        rows = slice(max(int(y) - reach, 0), max(int(y) + reach, 0))
        columns = slice(max(int(x) - reach, 0), max(int(x) + reach, 0))
        area = canvas[rows, columns]
        dy, dx = np.ogrid[rows, columns]
        dy, dx = dy[: area.shape[0]] + 0.5 - y, dx[:, : area.shape[1]] + 0.5 - x
        u, v = (dx * np.cos(angle) + dy * np.sin(angle)) / stretch, dy * np.cos(angle) - dx * np.sin(angle)
        away = np.hypot(u, v) * (1 + 0.10 * np.sin(3 * np.arctan2(v, u) + phase))
        alpha = np.clip(r - away + 0.5, 0, 1) * 0.96
        area += alpha[..., None] * (colour - area)
        ridged = 0.5 + 0.5 * (away / r) ** 3
        height[rows, columns] += alpha * (ridged - 0.7 * height[rows, columns])
