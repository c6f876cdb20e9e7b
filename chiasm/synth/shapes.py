"""The outlines of things: each shape drawn once at a size, as a mask and layers of light and ink.

Coordinates in the drawing functions are fractions of the shape's own square, (0, 0) at the upper left.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from chiasm.synth.lettering import write

OVERSAMPLE = 4  # drawn this much larger and averaged down, for smooth insides
NEUTRAL = 128  # the grey of the light layer that leaves a colour as it is
SCALE = {"sign": 1.2, "frame": 1.25, "robot": 1.1, "table": 1.08}  # relative to the side asked for

Point = tuple[float, float]


@dataclass(frozen=True)
class Sprite:
    """One shape at one size, cut to its tight box of h x w pixels."""

    mask: NDArray[np.bool_]  # (h, w)
    outline: NDArray[np.bool_]  # (h, w): the mask's own border, one pixel wide
    light: NDArray[np.float32]  # (h, w): multiplies the colour
    white: NDArray[np.float32]  # (h, w) in [0, 1]: how much white lies over the colour
    dark: NDArray[np.float32]  # (h, w) in [0, 1]: how much ink lies over everything
    inked: bool  # whether there is any


class Pen:
    """Draws in unit coordinates on the layers of one oversampled square."""

    def __init__(self, side: int) -> None:
        self.side = side * OVERSAMPLE
        layers = [Image.new("L", (self.side, self.side), color) for color in (0, NEUTRAL, 0, 0)]
        self.cover, self.light, self.white, self.dark = layers
        self._draw = {id(layer): ImageDraw.Draw(layer) for layer in layers}

    def _points(self, points: Sequence[Point]) -> list[Point]:
        return [(x * (self.side - 1), y * (self.side - 1)) for x, y in points]

    def polygon(self, points: Sequence[Point], light: float = 1.0) -> None:
        """A filled part of the thing, lit by `light`."""
        scaled = self._points(points)
        self._draw[id(self.cover)].polygon(scaled, fill=255)
        self._draw[id(self.light)].polygon(scaled, fill=round(light * NEUTRAL))

    def box(self, x1: float, y1: float, x2: float, y2: float, light: float = 1.0) -> None:
        """A filled rectangle of the thing."""
        self.polygon([(x1, y1), (x2, y1), (x2, y2), (x1, y2)], light)

    def ellipse(self, x1: float, y1: float, x2: float, y2: float, light: float = 1.0) -> None:
        """A filled ellipse of the thing."""
        corners = self._points([(x1, y1), (x2, y2)])
        self._draw[id(self.cover)].ellipse(corners, fill=255)
        self._draw[id(self.light)].ellipse(corners, fill=round(light * NEUTRAL))

    def hole(self, x1: float, y1: float, x2: float, y2: float, *, round_: bool = False) -> None:
        """A part taken away again: the ground shows through."""
        draw = self._draw[id(self.cover)]
        (draw.ellipse if round_ else draw.rectangle)(self._points([(x1, y1), (x2, y2)]), fill=0)

    def whiten(self, x1: float, y1: float, x2: float, y2: float) -> None:
        """A white rectangle over the colour."""
        self._draw[id(self.white)].rectangle(self._points([(x1, y1), (x2, y2)]), fill=255)

    def dot(self, x: float, y: float, radius: float) -> None:
        """A spot of ink."""
        corners = self._points([(x - radius, y - radius), (x + radius, y + radius)])
        self._draw[id(self.dark)].ellipse(corners, fill=255)

    def word(self, text: str, x1: float, y1: float, x2: float, y2: float) -> None:
        """`text` in ink, as large as the rectangle allows."""
        (left, top), (right, bottom) = self._points([(x1, y1), (x2, y2)])
        letters = write(text, round(right - left), round(bottom - top))
        corner = (round((left + right - letters.width) / 2), round((top + bottom - letters.height) / 2))
        self.dark.paste(letters, corner)


def _cube(pen: Pen, variant: str) -> None:
    top, right, left = (0.5, 0.0), (0.97, 0.24), (0.03, 0.24)
    centre, low_right, low_left, bottom = (0.5, 0.47), (0.97, 0.76), (0.03, 0.76), (0.5, 1.0)
    pen.polygon([top, right, centre, left], 1.22)
    pen.polygon([left, centre, bottom, low_left], 0.98)
    pen.polygon([right, centre, bottom, low_right], 0.72)


def _ball(pen: Pen, variant: str) -> None:
    for step in range(8):  # smaller and brighter towards the light at the upper left
        inset = 0.055 * step
        pen.ellipse(inset * 0.55, inset * 0.5, 1 - inset * 1.45, 1 - inset * 1.5, 0.74 + 0.065 * step)


def _cone(pen: Pen, variant: str) -> None:
    pen.ellipse(0.04, 0.74, 0.96, 1.0, 0.8)
    for step in range(7):
        start, stop = 0.04 + 0.92 * step / 7, 0.04 + 0.92 * (step + 1) / 7
        pen.polygon([(0.5, 0.0), (stop, 0.87), (start, 0.87)], 1.15 - 0.07 * step)


def _robot(pen: Pen, variant: str) -> None:
    """`variant` is the side on which an arm is stretched out: "left", "right", or "" for hanging arms."""
    pen.box(0.47, 0.0, 0.55, 0.1, 0.8)
    pen.box(0.3, 0.07, 0.72, 0.38, 1.1)
    pen.box(0.26, 0.38, 0.76, 0.78, 0.95)
    pen.box(0.3, 0.78, 0.46, 1.0, 0.75)
    pen.box(0.56, 0.78, 0.72, 1.0, 0.75)
    for side, reach, hang in (("left", (0.0, 0.26), (0.12, 0.26)), ("right", (0.76, 1.0), (0.76, 0.9))):
        if variant == side:
            pen.box(reach[0], 0.46, reach[1], 0.6, 0.85)
        else:
            pen.box(hang[0], 0.42, hang[1], 0.72, 0.85)
    pen.dot(0.41, 0.21, 0.055)
    pen.dot(0.61, 0.21, 0.055)


def _star(pen: Pen, variant: str) -> None:
    points = []
    for corner in range(10):
        radius = 0.53 if corner % 2 == 0 else 0.24
        angle = math.pi * corner / 5
        points.append((0.5 + radius * math.sin(angle), 0.53 - radius * math.cos(angle)))
    pen.polygon(points)


def _heart(pen: Pen, variant: str) -> None:
    points = []
    for step in range(40):
        angle = 2 * math.pi * step / 40
        x = 16 * math.sin(angle) ** 3
        y = 13 * math.cos(angle) - 5 * math.cos(2 * angle) - 2 * math.cos(3 * angle) - math.cos(4 * angle)
        points.append((0.5 + x / 33, 0.44 - y / 31))
    pen.polygon(points)


def _moon(pen: Pen, variant: str) -> None:
    pen.ellipse(0.0, 0.0, 1.0, 1.0)
    pen.hole(0.38, -0.06, 1.26, 0.82, round_=True)


def _table(pen: Pen, variant: str) -> None:
    pen.box(0.0, 0.18, 1.0, 0.46, 1.08)
    pen.box(0.08, 0.46, 0.28, 0.96, 0.8)
    pen.box(0.72, 0.46, 0.92, 0.96, 0.8)


def _frame(pen: Pen, variant: str) -> None:
    pen.box(0.0, 0.0, 1.0, 1.0)
    pen.hole(0.165, 0.165, 0.835, 0.835)


def _sign(pen: Pen, variant: str) -> None:
    """`variant` is the word on it."""
    pen.box(0.4, 0.6, 0.6, 1.0, 0.8)
    pen.box(0.0, 0.0, 1.0, 0.64)
    pen.whiten(0.13, 0.11, 0.87, 0.53)
    pen.word(variant, 0.15, 0.14, 0.86, 0.51)


DRAWINGS: dict[str, Callable[[Pen, str], None]] = {
    "cube": _cube,
    "ball": _ball,
    "cone": _cone,
    "robot": _robot,
    "star": _star,
    "heart": _heart,
    "moon": _moon,
    "table": _table,
    "frame": _frame,
    "sign": _sign,
}


def _averaged(layer: Image.Image, unit: int = 1) -> NDArray[np.float32]:
    """(h, w): the layer at its true size, in multiples of `unit`."""
    return np.asarray(layer.reduce(OVERSAMPLE), dtype=np.float32) / np.float32(unit)


@lru_cache(maxsize=4096)
def sprite(shape: str, side: int, variant: str = "") -> Sprite:
    """The shape drawn at about `side` pixels, cut to its tight box."""
    pen = Pen(round(side * SCALE.get(shape, 1.0)))
    DRAWINGS[shape](pen, variant)
    covered = _averaged(pen.cover) >= 128
    rows, columns = np.flatnonzero(covered.any(1)), np.flatnonzero(covered.any(0))
    cut = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    mask = np.ascontiguousarray(covered[cut])
    padded = np.pad(mask, 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return Sprite(
        mask=mask,
        outline=mask & ~inner,
        light=_averaged(pen.light, NEUTRAL)[cut],
        white=_averaged(pen.white, 255)[cut],
        dark=_averaged(pen.dark, 255)[cut],
        inked=pen.dark.getextrema() != (0, 0),
    )
