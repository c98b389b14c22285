"""Breakers, a mountain and a red sun, printed from five carved plates on warm paper."""

import numpy as np

from painting.carving import contours, plate, press, space_evenly
from painting.colours import ink
from painting.fields import Scene, along, noise_image, ridge, smoothstep, unit_length

SPACING = 9.5
"""Distance of the gouges in units of length."""

PAPER = "#f3e2bd"
# The inks in printing order; the key block is last.
INKS = {"ochre": "#f0a82f", "rose": "#e0402c", "sea": "#2f95a5", "leaf": "#5f9a55", "key": "#16224f"}
SUN = (0.27, 0.22, 0.125)
# Baseline, height and phase of each sea, and x, y, reach and rotation (radians) of its breaker, from back to front.
SEAS = (
    (0.585, 0.012, 0.3, None),
    (0.66, 0.035, 0.62, (0.86, 0.60, 0.10, -3.0)),
    (0.75, 0.06, 0.08, (0.40, 0.665, 0.165, -3.4)),
    (0.88, 0.045, 0.52, (0.80, 0.83, 0.13, -3.0)),
)


class Print:
    """A scene with the share of each ink.

    Attributes:
        scene: Scene with directions and labels.
        tones: Share of each of `INKS`, ``(H, W)`` in [0, 1].
    """

    def __init__(self, size: int) -> None:
        self.scene = Scene(size)
        self.tones = {name: np.zeros((size, size)) for name in INKS}

    def put(self, mask: np.ndarray, angle: np.ndarray | float, **tones: np.ndarray | float) -> None:
        """Place an object in front of all others; an ink without a tone is removed there."""
        self.scene.put(mask, self.scene.colour, angle)
        for name, tone in self.tones.items():
            self.tones[name] = np.where(mask, np.clip(tones.get(name, 0.0), 0, 1), tone)


def paint(size: int, seed: int = 0) -> np.ndarray:
    """Carve and print the picture.

    Args:
        size: Side in pixels.
        seed: Seed of the random numbers.

    Returns:
        Picture ``(size, size, 3)`` in sRGB, in [0, 1].
    """
    rng = np.random.default_rng([seed, 3])
    sheet = Print(size)
    put_sky(sheet, rng)
    put_mountain(sheet, rng)
    for sea in SEAS:
        put_sea(sheet, rng, *sea)
    return print_plates(sheet, rng)


def print_plates(sheet: Print, rng: np.random.Generator) -> np.ndarray:
    """Carve every plate and print one over the other."""
    scene, unit = sheet.scene, unit_length(sheet.scene.size)
    spacing = SPACING * unit
    fibres = 0.035 * noise_image(scene.size, 150, rng, 2) + 0.02 * noise_image(scene.size, 4, rng)
    paper = np.clip(ink(PAPER) * (1 + fibres[..., None]), 0, 1)
    for name, code in INKS.items():
        lines = space_evenly(scene, spacing, rng)
        wood = plate(scene, sheet.tones[name], lines, spacing, rng)
        if name == "key":
            wood = np.maximum(wood, contours(scene, 3.4 * unit, rng))
        paper = press(paper, wood, ink(code), rng.normal(0, 1.1 * unit, 2), rng)
    return np.clip(paper, 0, 1)


def put_sky(sheet: Print, rng: np.random.Generator) -> None:
    """Add a sky from a glowing horizon to blue, with long clouds and the sun."""
    scene = sheet.scene
    x, y = scene.x, scene.y
    drift = y + 0.035 * noise_image(scene.size, 3, rng, 2) + 0.02 * np.sin(7 * x)
    away = np.hypot(x - SUN[0], y - SUN[1])
    stream = drift + 0.10 * np.exp(-((away / 0.2) ** 2)) * np.sign(y - SUN[1])
    everywhere = np.ones_like(x, bool)
    sheet.put(
        everywhere,
        along(stream),
        ochre=smoothstep(0.10, 0.46, drift),
        rose=0.62 * smoothstep(0.34, 0.56, drift),
        sea=0.82 - 1.15 * drift - 0.5 * np.exp(-((away / 0.22) ** 2)),
    )
    sheet.put(away < SUN[2], 0.12, rose=0.78 - 0.38 * smoothstep(0.1, 0.4, y - SUN[1] + 0.12), ochre=0.9)
    for level, left, right, thick in (
        (0.13, 0.42, 0.98, 0.030),
        (0.285, 0.02, 0.40, 0.022),
        (0.36, 0.30, 0.62, 0.018),
        (0.06, -0.1, 0.30, 0.022),
    ):
        t = np.clip((x - left) / (right - left), 0, 1)
        bulge = thick * np.sin(np.pi * t) ** 0.5 * (0.75 + 0.35 * np.abs(np.sin(11 * t + 40 * level)))
        off = y - level - 0.012 * np.sin(9 * x + 30 * level)
        cloud = (off < 0.35 * bulge) & (off > -bulge) & (t > 0) & (t < 1)
        sheet.put(
            cloud,
            along(off + 0.1 * bulge),
            rose=0.35 * smoothstep(-0.01, 0.012, off),
            sea=0.28 * smoothstep(-0.01, 0.015, off),
        )


def put_mountain(sheet: Print, rng: np.random.Generator) -> None:
    """Add a snow-covered mountain with a lit and a shaded side, and wooded foothills."""
    scene = sheet.scene
    x, y, top, peak = scene.x, scene.y, 0.17, 0.67
    rough = 0.02 * noise_image(scene.size, 9, rng)
    slope = top + 0.95 * np.abs(x - peak) ** 0.82 * 0.78 - 0.02 + 0.012 * noise_image(scene.size, 12, rng, 2)
    crease = x - peak + 0.05 * np.sin(14 * y) * (y - top) + 1.6 * rough
    shaded = smoothstep(-0.02, 0.03, crease)
    falling = np.arctan2(1.0, np.clip((x - peak) * 4, -0.9, 0.9) + 2 * rough)
    depth = y - slope
    body = depth > 0
    sheet.put(body, falling, sea=0.50 + 0.4 * shaded, rose=0.55 - 0.35 * shaded, key=0.15 + 0.62 * shaded + rough)
    snow = body & (y < 0.335 + 0.05 * np.sin(38 * x) + 0.03 * np.sin(71 * x + 1) + 1.5 * rough)
    sheet.put(snow, falling, sea=0.20 + 0.45 * shaded, key=0.3 * shaded - 0.02)
    for level, height, dark in ((0.50, 0.03, 0.35), (0.545, 0.022, 0.72)):
        skyline = ridge(x, level, height, 5, rng) - 0.006 * np.abs(np.sin(70 * x + 3 * np.sin(9 * x)))
        tone = dark + 0.3 * noise_image(scene.size, 14, rng)
        sheet.put(y > skyline, along(y - skyline) + 0.9, leaf=0.9, ochre=0.8, key=tone * 0.8)


def put_sea(
    sheet: Print, rng: np.random.Generator, level: float, height: float, phase: float, breaker: tuple | None
) -> None:
    """Add one sea with bands and foam along its crest, rolled up where it breaks."""
    scene = sheet.scene
    x, y = scene.x, scene.y
    if breaker is not None:
        x, y = roll_up(x, y, *breaker)
    swell = 2 * np.pi * (x * 1.35 + phase)
    crest = level - height * (np.sin(swell + 0.5 * np.sin(swell)) + 0.25 * np.sin(2.7 * swell + 1))
    depth = y - crest + 0.006 * noise_image(scene.size, 7, rng, 2)
    foam = 0.006 + 0.35 * height * (0.55 + 0.45 * np.abs(np.sin(9.5 * swell / (2 * np.pi) * np.pi + 2 * depth)))
    tone = 0.5 + 0.5 * np.sin(2 * np.pi * (depth / (0.035 + 0.35 * height)) - 0.6)
    fade = smoothstep(0.0, 0.25, depth)
    sheet.put(
        depth > 0,
        along(depth),
        sea=0.62 + 0.38 * tone,
        leaf=0.30 * (1 - tone),
        key=0.05 + 0.95 * tone * (0.6 + 0.4 * fade) - 0.12,
    )
    under = depth < foam
    sheet.put((depth > 0) & under, along(depth) + 1.1, sea=0.48 * smoothstep(0.2, 1.0, depth / foam))
    put_spray(sheet, depth, height, rng)


def roll_up(
    x: np.ndarray, y: np.ndarray, centre_x: float, centre_y: float, reach: float, turn: float
) -> tuple[np.ndarray, np.ndarray]:
    """Rotate the plane around a centre, most at the centre, which turns a straight crest into a breaker.

    Args:
        x: Coordinates ``(H, W)``.
        y: Coordinates ``(H, W)``.
        centre_x: Coordinate x of the centre.
        centre_y: Coordinate y of the centre.
        reach: Distance at which the rotation has fallen to 1/e.
        turn: Rotation at the centre in radians.

    Returns:
        The rotated coordinates, each ``(H, W)``.
    """
    dx, dy = x - centre_x, y - centre_y
    angle = turn * np.exp(-((dx / reach) ** 2 + (dy / reach) ** 2))
    cos, sin = np.cos(angle), np.sin(angle)
    return centre_x + cos * dx - sin * dy, centre_y + sin * dx + cos * dy


def put_spray(sheet: Print, depth: np.ndarray, height: float, rng: np.random.Generator) -> None:
    """Add drops of bare paper above the crest."""
    scene = sheet.scene
    near = np.argwhere((depth < -0.004) & (depth > -0.6 * height))
    if len(near) == 0:
        return
    for row, column in near[rng.integers(len(near), size=int(700 * height))]:
        radius = rng.uniform(0.0022, 0.0062)
        away = np.hypot(scene.x - scene.x[row, column], scene.y - scene.y[row, column])
        for tone in sheet.tones.values():
            tone[away < radius] = 0
