"""What exists in the generated world: its words, its colours in numbers, and the rules of its relations.

Everything is small on purpose: ten kinds of things, eight colours, two sizes, three materials, four places. A picture
is one plain ground with a few things on it, each with a thin dark outline, none hiding another.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

VERSION = 7  # raised whenever the same seed and options give different bytes

RGB = tuple[int, int, int]

COLORS: Mapping[str, RGB] = {
    "red": (214, 48, 49),
    "orange": (243, 146, 36),
    "yellow": (247, 216, 66),
    "green": (52, 160, 70),
    "turquoise": (64, 200, 208),
    "blue": (30, 85, 225),
    "purple": (150, 45, 165),
    "pink": (246, 150, 190),
}
CATEGORIES: Mapping[str, tuple[str, ...]] = {
    "toy": ("cube", "ball", "cone", "robot"),
    "symbol": ("star", "heart", "moon"),
    "furniture": ("table", "frame", "sign"),
}
CATEGORY_OF: Mapping[str, str] = {shape: kind for kind, shapes in CATEGORIES.items() for shape in shapes}
SHAPES: tuple[str, ...] = tuple(CATEGORY_OF)
PORTABLE: tuple[str, ...] = ("cube", "ball", "cone", "star", "heart", "moon")  # what may be carried or contained
SIZES: tuple[str, ...] = ("small", "large")
MATERIALS: tuple[str, ...] = ("wood", "metal", "plastic")
WORDS: tuple[str, ...] = ("bus", "tea", "zoo", "go", "art", "fish")  # written on signs
PLACES: Mapping[str, RGB] = {
    "snow": (246, 249, 252),
    "sand": (238, 218, 168),
    "grass": (196, 228, 176),
    "water": (184, 222, 242),
}

DIRECTIONS: tuple[str, ...] = ("to the left of", "to the right of", "above", "below")
CONTACTS: tuple[str, ...] = ("on", "inside", "holding")
RELATIONS: tuple[str, ...] = DIRECTIONS + CONTACTS
OPPOSITE: Mapping[str, str] = {
    "to the left of": "to the right of",
    "to the right of": "to the left of",
    "above": "below",
    "below": "above",
}

VOCABULARY: Mapping[str, tuple[str, ...]] = {
    "color": tuple(COLORS),
    "size": SIZES,
    "material": MATERIALS,
    "word": WORDS,
    "shape": SHAPES,
    "category": tuple(CATEGORIES),
    "place": tuple(PLACES),
    "relation": RELATIONS,
}

SIDES: Mapping[str, tuple[int, int]] = {"small": (16, 20), "large": (29, 34)}  # pixels in a picture of 128 x 128
REFERENCE_SIZE = 128  # the picture size that all pixel numbers here mean; they scale with it
MARGIN = 8  # centres must differ by at least this many pixels for one thing to be left of (above, ...) another
GAP = 6  # pixels between the boxes of things that have nothing to do with each other
TOUCH = 2  # pixels between a thing and what carries it: visibly together, yet two connected components

SPLITS: tuple[str, ...] = ("train", "val", "test")


def held_out(seed: int) -> dict[str, str]:
    """shape -> the colour that this shape never has in train and val; one thing in every test scene has such a one.

    Every colour is held out for at most two shapes, so that every colour and every shape occurs in training.
    """
    rng = Random(f"held out/{seed}")
    colors = [*COLORS, *COLORS]
    first, second = colors[: len(COLORS)], colors[len(COLORS) :]
    rng.shuffle(first)
    rng.shuffle(second)
    return dict(zip(SHAPES, (first + second)[: len(SHAPES)], strict=True))
