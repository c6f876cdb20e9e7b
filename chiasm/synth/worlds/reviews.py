"""Reviews of garments with a table row each, in the columns of the Women's E-Commerce Clothing Reviews.

A garment is recommended when mood + (Rating - 3) + taste > 0: the words of the review tell the mood (-2 to 2), a
number the rating, and a category, the department, a taste (-1, 0 or 1) of its readers. None of the three alone
decides. Age, Positive Feedback Count and Division Name are drawn without regard to the answer, and Class Name follows
from the department, so it adds nothing. In the test split each department has words that it has nowhere else.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

VERSION = 1
COLUMNS = (
    "Unnamed: 0",
    "Clothing ID",
    "Age",
    "Title",
    "Review Text",
    "Rating",
    "Recommended IND",
    "Positive Feedback Count",
    "Division Name",
    "Department Name",
    "Class Name",
)
TARGET = "Recommended IND"
USELESS = ("Age", "Positive Feedback Count", "Division Name")
MOODS = {
    2: ("gorgeous", "perfect", "stunning", "wonderful"),
    1: ("nice", "pretty", "soft", "pleasant"),
    0: ("plain", "ordinary", "usual", "simple"),
    -1: ("dull", "thin", "stiff", "scratchy"),
    -2: ("awful", "ugly", "shapeless", "ruined"),
}
TASTES = {"Tops": 1, "Dresses": 1, "Bottoms": 0, "Intimate": 0, "Jackets": -1, "Trend": -1}
CLASSES = {
    "Tops": ("Blouses", "Knits", "Sweaters"),
    "Dresses": ("Dresses",),
    "Bottoms": ("Pants", "Jeans", "Skirts"),
    "Intimate": ("Lounge", "Sleep"),
    "Jackets": ("Outerwear", "Jackets"),
    "Trend": ("Trend",),
}
DIVISIONS = ("General", "General Petite", "Initmates")  # sic
OPENINGS = (
    "I wore it to a party last week.",
    "My sister has the same in blue.",
    "It came after four days.",
    "I am five feet tall and took a small.",
    "The sleeves reach my wrists.",
    "I ordered two sizes to compare.",
)
JUDGEMENTS = ("This one is {}.", "The fabric looks {}.", "Honestly, the cut is {}.", "I find it {}.")


@dataclass(frozen=True)
class Options:
    """How many rows. Raises ValueError for a size that gives an empty split."""

    rows: int = 4000  # of the training split
    val_rows: int = 500
    test_rows: int = 500
    missing: float = 0.1  # share of titles, and of divisions, that are empty

    def __post_init__(self) -> None:
        for name in ("rows", "val_rows", "test_rows"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if not 0 <= self.missing < 1:
            raise ValueError(f"missing is {self.missing}; it must be at least 0 and below 1")


def write(folder: Path, options: Options, *, seed: int) -> None:
    """`train.csv`, `val.csv` and `test.csv`."""
    sizes = {"train": options.rows, "val": options.val_rows, "test": options.test_rows}
    for split, size in sizes.items():
        with (folder / f"{split}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(_rows(split, size, options.missing, seed))


def held_out(department: str, mood: int) -> str:
    """The word of a mood that reviews of a department use in the test split only."""
    words = MOODS[mood]
    return words[list(TASTES).index(department) % len(words)]


def _rows(split: str, size: int, missing: float, seed: int) -> Iterator[dict[str, object]]:
    draw = random.Random(f"{seed}-{split}")
    for number in range(size):
        while True:
            mood, rating = draw.choice(list(MOODS)), draw.randint(1, 5)
            department = draw.choice(list(TASTES))
            score = mood + rating - 3 + TASTES[department]
            if score != 0:
                break
        kept = held_out(department, mood)
        words = [kept] if split == "test" else [word for word in MOODS[mood] if word != kept]
        sentences = [*draw.sample(OPENINGS, draw.randint(1, 3)), draw.choice(JUDGEMENTS).format(draw.choice(words))]
        draw.shuffle(sentences)
        title = "" if draw.random() < missing else f"My new {draw.choice(CLASSES[department]).lower()}"
        division = "" if draw.random() < missing else draw.choice(DIVISIONS)
        values = (
            number,
            draw.randint(1, 1200),
            draw.randint(18, 90),
            title,
            " ".join(sentences),
            rating,
            int(score > 0),
            int(draw.expovariate(0.4)),
            division,
            department,
            draw.choice(CLASSES[department]),
        )
        yield dict(zip(COLUMNS, values, strict=True))
