"""Rows of text and table columns by any names, so that every recipe of such rows runs without its data set.

    score = mood + level + taste,  mood in -2..2, level in -2..2, taste in -1..1

The first text column holds one of its mood's words among words that tell nothing, the first number is 10 x level, the
first category is its taste. All other columns are useless. The target is the class of the score (`classes` of them,
equally likely, from 0), or, with `classes = 0`, the number 100 + 20 x score.
"""

from __future__ import annotations

import csv
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

VERSION = 1
MOODS = {
    -2: ("grim", "broken"),
    -1: ("tired", "small"),
    0: ("calm", "plain"),
    1: ("bright", "kind"),
    2: ("lovely", "best"),
}
LEVELS = (-2, -1, 0, 1, 2)
TASTES = {"low": -1, "middle": 0, "high": 1}
FILLERS = ("here", "it", "is", "near", "the", "river", "and", "we", "like", "this", "one", "today")


@dataclass(frozen=True)
class Options:
    """The columns and how many rows. Raises ValueError for sizes and names that make no table."""

    text: tuple[str, ...] = ("text",)
    numbers: tuple[str, ...] = ("number",)
    categories: tuple[str, ...] = ("category",)
    target: str = "label"
    classes: int = 3
    rows: int = 2000  # of the training split
    val_rows: int = 300
    test_rows: int = 300
    missing: float = 0.1  # share of the cells of useless columns that are empty

    def __post_init__(self) -> None:
        names = [*self.text, *self.numbers, *self.categories, self.target]
        if not (self.text and self.numbers and self.categories) or len(set(names)) != len(names):
            raise ValueError("at least one column of text, numbers and categories, all with different names, is needed")
        if min(self.rows, self.val_rows, self.test_rows) < 1 or not 0 <= self.missing < 1:
            raise ValueError("every split needs at least 1 row, and missing is a share below 1")
        if self.classes < 0 or self.classes == 1 or self.classes > len(_scores()):
            raise ValueError(f"classes is {self.classes}; it must be 0 (a number), or 2 to {len(_scores())}")


def write(folder: Path, options: Options, *, seed: int) -> None:
    """`train.csv`, `val.csv` and `test.csv`."""
    columns = ["id", *options.text, *options.categories, *options.numbers, options.target]
    sizes = {"train": options.rows, "val": options.val_rows, "test": options.test_rows}
    for split, size in sizes.items():
        with (folder / f"{split}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(_rows(split, size, options, seed))


def target(score: int, classes: int) -> float | int:
    """What a row of this score learns."""
    if not classes:
        return 100.0 + 20.0 * score
    below = sum(other < score for other in _scores())
    equal = sum(other == score for other in _scores())
    return int((below + equal / 2) / len(_scores()) * classes)


def _scores() -> list[int]:
    """The score of every combination."""
    return [sum(parts) for parts in itertools.product(MOODS, LEVELS, TASTES.values())]


def _rows(split: str, size: int, options: Options, seed: int) -> Iterator[dict[str, object]]:
    draw = random.Random(f"{seed}-{split}")
    for number in range(size):
        mood, level, taste = draw.choice(list(MOODS)), draw.choice(LEVELS), draw.choice(list(TASTES))
        words = [draw.choice(MOODS[mood]), *draw.choices(FILLERS, k=draw.randint(3, 9))]
        draw.shuffle(words)
        row: dict[str, object] = {"id": f"{split}{number}"}
        row |= {name: " ".join(draw.choices(FILLERS, k=4)) for name in options.text[1:]}
        row |= {name: draw.choice(list(TASTES)) for name in options.categories[1:]}
        row |= {name: round(draw.gauss(0, 10), 2) for name in options.numbers[1:]}
        for name in list(row)[1:]:
            if draw.random() < options.missing:
                row[name] = ""
        row[options.text[0]], row[options.categories[0]] = " ".join(words), taste
        row[options.numbers[0]] = 10 * level
        row[options.target] = target(mood + level + TASTES[taste], options.classes)
        yield row
