"""A harbour at sunset in glass and gold tesserae."""

import numpy as np

from painting.colours import ink, inks, ramp
from painting.fields import Scene, along, noise_image, ridge, unit_length
from painting.tesserae import follow, render

TILE = 15.0
"""Side of a tile in units of length."""

SKY = "#ffe9a3 #ffc24a #f58a3c #e0566a #a04a9a #4f56b8 #2a6fb5 #2f9fc0"
SEA = "#0d2f63 #14539a #1f86b0 #3fb8b0 #1a6a9e #8fd6bf #123f80"
RANGE = "#4a3f8f #6f57a8 #3a5a9a #8a6ab0"
WALLS = inks("#f3dcb0 #e8b27a #d9825a #f6ead2 #e3c38f #c96a4a #f0c9a8")
ROOF, WINDOW, HULL, MAST = inks("#b5361f #27304f #6b2a1c #3a1f18")
SAILS = inks("#d1281f #f6e3b4 #f2a31f #2f8f7a")
SUN = (0.60, 0.385, 0.095)
SHORE = 0.56
# Left, right, top and index of the wall's colour of each house, from back to front.
HOUSES = (
    (0.06, 0.15, 0.33, 0), (0.14, 0.235, 0.285, 2), (0.225, 0.30, 0.36, 3), (0.285, 0.37, 0.43, 1),
    (0.05, 0.13, 0.44, 5), (0.125, 0.215, 0.42, 4), (0.21, 0.285, 0.47, 6), (0.33, 0.40, 0.49, 0),
)  # fmt: skip
# Foot of the mast x, waterline y, scale and indices of the two sails' colours of each boat.
BOATS = ((0.81, 0.665, 0.85, 3, 0), (0.37, 0.80, 1.25, 0, 1))
FISH = ((0.74, 0.855, 0.085, 0), (0.885, 0.80, 0.06, 2), (0.60, 0.915, 0.05, 2))


def paint(size: int, seed: int = 0) -> np.ndarray:
    """Paint the picture with a side in pixels and a seed; return ``(size, size, 3)`` sRGB in [0, 1]."""
    rng = np.random.default_rng([seed, 2])
    scene, gold = Scene(size), np.zeros((size, size), bool)
    put_sky(scene, gold, rng)
    put_sea(scene, gold, rng)
    put_town(scene)
    for boat in BOATS:
        put_boat(scene, *boat)
    for fish in FISH:
        put_fish(scene, gold, *fish)
    put_frame(scene, gold)
    return render(scene, TILE * unit_length(size), gold, rng)


def put_sky(scene: Scene, gold: np.ndarray, rng: np.random.Generator) -> None:
    """Add rings around the sun with rays of gold, and a distant mountain range."""
    x, y, radius = SUN
    away, bearing = np.hypot(scene.x - x, scene.y - y), np.arctan2(scene.y - y, scene.x - x)
    ring = 0.035 * np.sin(2 * np.pi * away / 0.085) + 0.03 * noise_image(scene.size, 5, rng)
    everywhere = np.ones_like(gold)
    scene.put(everywhere, ramp(SKY, 1.25 * (away - radius) + 1.2 * ring), bearing + np.pi / 2)
    rays = (np.cos(11 * bearing + 0.5) > 0.80) & (away > 0.15) & (away < 0.36 + 0.05 * np.cos(5 * bearing))
    scene.put(rays, ink("#e8b23a"), bearing)
    disc, rim = away < radius, away < radius + 0.026
    scene.put(rim, ink("#d8301f"), bearing + np.pi / 2)
    scene.put(disc, ink("#f2c230"), bearing + np.pi / 2)
    gold |= disc | rays
    top = ridge(scene.x, 0.475, 0.045, 3.6, rng)
    mountains = scene.y > top
    scene.put(mountains, ramp(RANGE, 0.5 + 9 * (scene.y - top - 0.05)), along(scene.y - top))
    gold &= ~mountains


def put_sea(scene: Scene, gold: np.ndarray, rng: np.random.Generator) -> None:
    """Add waves that grow towards the viewer, and the reflection of the sun on them."""
    depth = scene.y - SHORE
    swell = (0.004 + 0.05 * depth) * np.sin(2 * np.pi * (scene.x * (3.2 - 2 * depth) + 6 * depth))
    level = depth + swell + 0.008 * noise_image(scene.size, 5, rng)
    tone = 0.5 + 0.5 * np.sin(2 * np.pi * 9.5 * level) + 0.16 * noise_image(scene.size, 8, rng)
    sea = depth > 0
    scene.put(sea, ramp(SEA, 0.08 + 0.8 * tone), along(level))
    spread = 0.05 + 0.22 * depth
    glitter = (np.abs(scene.x - SUN[0]) < spread * (0.6 + 0.6 * noise_image(scene.size, 14, rng))) & (tone > 0.5) & sea
    scene.colour[glitter] = ramp("#e0701f #ffc93a", tone)[glitter]
    gold &= ~sea
    gold |= glitter


def put_town(scene: Scene) -> None:
    """Add houses with red roofs and dark windows on the left shore, and a tower with a dome."""
    for left, right, top, colour in HOUSES:
        put_house(scene, left, right, top, WALLS[colour])
    tower = (np.abs(scene.x - 0.185) < 0.022) & (scene.y > 0.19) & (scene.y < 0.36)
    scene.put(tower, ink("#f7edd8"), 0.0)
    dome = np.hypot((scene.x - 0.185) / 0.034, (scene.y - 0.19) / 0.055) < 1
    dome &= scene.y < 0.195
    scene.put(dome, ink("#2a9d9a"), follow(dome, unit_length(scene.size)))
    quay = (scene.x < 0.47) & (scene.y > SHORE) & (scene.y < SHORE + 0.035 - 0.02 * scene.x)
    scene.put(quay, ink("#8a6a5a"), 0.0)


def put_house(scene: Scene, left: float, right: float, top: float, wall: np.ndarray) -> None:
    """Add a wall with a lit and a shaded half, a gable and windows."""
    middle, width = (left + right) / 2, right - left
    face = (scene.x > left) & (scene.x < right) & (scene.y > top) & (scene.y < SHORE)
    scene.put(face, wall * np.where(scene.x < middle, 0.82, 1.0)[..., None], 0.0)
    rise = top - 0.045 + 0.045 * np.abs(scene.x - middle) / (0.5 * width)
    gable = (np.abs(scene.x - middle) < 0.56 * width) & (scene.y > rise) & (scene.y < top + 0.004)
    scene.put(gable, ROOF * np.where(scene.x < middle, 0.8, 1.15)[..., None], 0.35)
    for x in (left + 0.3 * width, left + 0.72 * width):
        for y in np.arange(top + 0.035, SHORE - 0.03, 0.065):
            pane = (np.abs(scene.x - x) < 0.009) & (np.abs(scene.y - y) < 0.014)
            scene.put(pane, WINDOW, np.pi / 2)


def put_boat(scene: Scene, x: float, y: float, scale: float, main: int, jib: int) -> None:
    """Add a hull, a mast, a striped main sail, a jib and the reflection."""
    unit = unit_length(scene.size)
    across, up = (scene.x - x) / scale, (y - scene.y) / scale
    glint = np.abs(across + 0.01 * np.sin(120 * scene.y)) < 0.10 + 0.16 * up
    mirror = glint & (up < 0) & (up > -0.16) & (np.sin(2 * np.pi * 26 * up + 5 * across) > -0.15)
    scene.put(mirror, SAILS[main] * 0.62 + np.array([0.02, 0.10, 0.18]), 0.0)
    big = (
        (across > 0.006)
        & (up > 0.045)
        & (across < 0.155 * np.clip((0.33 - up) / 0.285, 0, 1) ** 0.8 + 0.02 * np.sin(9 * up))
    )
    big &= up < 0.325
    stripe = np.sin(2 * np.pi * (up * 13 + across * 4)) > 0.1
    scene.put(big, np.where(stripe[..., None], SAILS[main], SAILS[main] * 0.55 + 0.42), follow(big, unit))
    small = (across < -0.006) & (up > 0.05) & (across > -0.115 * (1 - (up - 0.05) / 0.22)) & (up < 0.27)
    scene.put(small, SAILS[jib], follow(small, unit))
    mast = (np.abs(across) < 0.0055) & (up > 0.02) & (up < 0.35)
    scene.put(mast, MAST, np.pi / 2)
    keel = 0.15 - 0.75 * np.clip(0.035 - up, 0, None)
    hull = (np.abs(across) < keel) & (up < 0.035 + 0.9 * across**2) & (up > -0.012)
    scene.put(hull, np.where((up > 0.018)[..., None], ink("#f0b43a"), HULL), 0.0)


def put_fish(scene: Scene, gold: np.ndarray, x: float, y: float, scale: float, colour: int) -> None:
    """Add a fish under the surface, with body, tail and eye."""
    across, up = (scene.x - x) / scale, (y - scene.y) / scale
    body = (across / 1.0) ** 2 + (up / (0.42 - 0.1 * across)) ** 2 < 1
    tail = (
        (across > 0.8) & (across < 1.5) & (np.abs(up) < 0.75 * (across - 0.72)) & (np.abs(up) > 0.5 * (across - 1.05))
    )
    tone = 0.5 + 0.5 * np.sin(7 * across) - 0.4 * up
    scene.put(tail, SAILS[colour] * 0.8, np.arctan2(-up, across - 0.6))
    scene.put(
        body,
        ramp("#8f1f2a #e0482a #f8a53a #fff0b8" if colour == 0 else "#a8501a #f2a31f #ffe27a", tone),
        follow(body, unit_length(scene.size)),
    )
    eye = np.hypot(across + 0.62, up - 0.08) < 0.13
    scene.put(eye, ink("#1a1a2a"), 0.0)
    gold &= ~(body | tail)


def put_frame(scene: Scene, gold: np.ndarray) -> None:
    """Add a border of two rows: dark blue outside, red and gold blocks inside."""
    inward = np.minimum(np.minimum(scene.x, 1 - scene.x), np.minimum(scene.y, 1 - scene.y))
    side = np.where(np.minimum(scene.x, 1 - scene.x) < np.minimum(scene.y, 1 - scene.y), scene.y, scene.x)
    turned = np.where(np.minimum(scene.x, 1 - scene.x) < np.minimum(scene.y, 1 - scene.y), np.pi / 2, 0.0)
    row = TILE * unit_length(scene.size) / scene.size
    inner, outer = inward < 2 * row, inward < row
    block = np.sin(np.pi * side / (2 * row)) > 0
    scene.put(inner, np.where(block[..., None], ink("#b3261f"), ink("#e0b040")), turned)
    scene.put(outer, ink("#16275f"), turned)
    gold &= ~inner
    gold |= inner & ~outer & ~block
