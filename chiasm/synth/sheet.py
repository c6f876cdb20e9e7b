"""A contact sheet: pictures of a generated world with their boxes and what is asked or said of them."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from PIL import Image

from chiasm.synth import WorldError, world_info

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, PAPER = "#22223a", "#8a8aa0", "#ffffff"
BOXES = ("#e4572e", "#2e86ab", "#3c9d5f", "#8e4ec6", "#c98a00", "#d6457f", "#5a6b7b", "#00897b")
TRUE, FALSE = "#2b8a4b", "#c0392b"
LINE = 40  # characters of text beside a picture


@dataclass(frozen=True)
class Card:
    """One example: its pictures with their scene graphs, and lines of (label, text, answer)."""

    pictures: tuple[tuple[Path, dict[str, Any]], ...]
    lines: tuple[tuple[str, str, str], ...]


def sheet(folder: str | Path, out: str | Path, *, split: str = "train", count: int = 8, seed: int = 0) -> Path:
    """Writes a PNG with `count` random examples of a split of the world in `folder`; returns its path.

    Raises `WorldError` when the folder holds no generated world, or not this split.
    """
    folder, out = Path(folder), Path(out)
    info = world_info(folder)
    if split not in info["splits"]:
        raise WorldError(f"the world in {folder} has no split {split!r}; it has {', '.join(info['splits'])}")
    rng = Random(seed)
    cards = _pair_cards(folder, split, count, rng) if info["kind"] == "pairs" else _cards(folder, split, count, rng)
    out.parent.mkdir(parents=True, exist_ok=True)
    _draw(cards, f"Generated world: {info['kind']}, {split}, seed {info['seed']}").savefig(out, dpi=110)
    return out


def _graphs(folder: Path, split: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads((folder / f"sceneGraphs/{split}_sceneGraphs.json").read_text("utf-8"))
    return found


def _cards(folder: Path, split: str, count: int, rng: Random) -> list[Card]:
    path = folder / f"questions/{split}_balanced_questions.json"
    if not path.is_file():
        raise WorldError(f"{folder} has no GQA questions: generate it with formats that include 'gqa'")
    asked: dict[str, list[dict[str, Any]]] = {}
    for question in json.loads(path.read_text("utf-8")).values():
        asked.setdefault(question["imageId"], []).append(question)
    graphs = _graphs(folder, split)
    cards = []
    for image in rng.sample(sorted(graphs), min(count, len(graphs))):
        chosen = rng.sample(asked.get(image, []), min(5, len(asked.get(image, []))))
        lines = [(q["types"]["detailed"].replace("_", " "), q["question"], q["answer"]) for q in chosen]
        cards.append(Card(((folder / f"images/{image}.png", graphs[image]),), tuple(lines)))
    return cards


def _pair_cards(folder: Path, split: str, count: int, rng: Random) -> list[Card]:
    lines = (folder / f"nlvr2/{split}.json").read_text("utf-8").splitlines()
    graphs = _graphs(folder, split)
    cards = []
    for entry in map(json.loads, rng.sample(lines, min(count, len(lines)))):
        stems = [f"{entry['identifier'].rpartition('-')[0]}-img{side}" for side in (0, 1)]
        pictures = tuple((folder / f"images/{stem}.png", graphs[stem]) for stem in stems)
        cards.append(Card(pictures, ((entry["family"].replace("_", " "), entry["sentence"], entry["label"]),)))
    return cards


def _draw(cards: list[Card], title: str) -> Figure:
    """Two cards a row: words to the right of a single picture, a statement below two pictures."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    paired = len(cards[0].pictures) == 2
    card_width, card_height = 5.3 if paired else 6.8, 2.95  # inches
    rows = (len(cards) + 1) // 2
    width, height = 2 * card_width + 0.4, rows * card_height + 0.6
    figure = Figure(figsize=(width, height), facecolor=PAPER)
    FigureCanvasAgg(figure)
    page = Page(figure, width, height)
    page.text(0.3, 0.33, title, fontsize=15, color=INK, weight="bold")
    for number, card in enumerate(cards):
        row, column = divmod(number, 2)
        left, top = 0.3 + column * card_width, 0.65 + row * card_height
        for position, (picture, graph) in enumerate(card.pictures):
            _picture(page.axes(left + 2.45 * position, top, 2.4), picture, graph)
        if paired:
            _verdict(page, card, left, top + 2.58)
        else:
            _words(page, card, left + 2.55, top + 0.08, left + card_width - 0.4)
    return figure


@dataclass(frozen=True)
class Page:
    """A figure measured in inches from its upper left corner."""

    figure: Figure
    width: float
    height: float

    def text(self, x: float, y: float, text: str, **style: Any) -> None:
        """A line of text, vertically centred on `y`."""
        self.figure.text(x / self.width, 1 - y / self.height, text, va="center", **style)

    def axes(self, x: float, y: float, side: float) -> Axes:
        """A square drawing area."""
        return self.figure.add_axes(
            (x / self.width, 1 - (y + side) / self.height, side / self.width, side / self.height)
        )


def _picture(axes: Axes, path: Path, graph: dict[str, Any]) -> None:
    """A picture with a numbered box around every object."""
    from matplotlib.patches import Rectangle

    with Image.open(path) as image:
        axes.imshow(image, interpolation="nearest")
    for number, thing in enumerate(graph["objects"].values()):
        color = BOXES[number % len(BOXES)]
        corner = (thing["x"] - 1.5, thing["y"] - 1.5)
        axes.add_patch(Rectangle(corner, thing["w"] + 2, thing["h"] + 2, fill=False, edgecolor=color, linewidth=1.4))
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_edgecolor("#d0d0dc")


def _words(page: Page, card: Card, left: float, top: float, right: float) -> None:
    """The questions: type, wording, answer."""
    y = top
    for label, text, answer in card.lines:
        page.text(left, y, label, fontsize=7.5, color=MUTED)
        for line in textwrap.wrap(text, LINE):
            y += 0.165
            page.text(left, y, line, fontsize=10, color=INK)
        page.text(right, y, answer, fontsize=10, color=BOXES[1], weight="bold", ha="right")
        y += 0.2


def _verdict(page: Page, card: Card, left: float, y: float) -> None:
    """A statement, and whether it is true of the two pictures above it."""
    _, text, label = card.lines[0]
    page.text(left, y, label, fontsize=10.5, color=TRUE if label == "True" else FALSE, weight="bold")
    page.text(left + 0.55, y, text, fontsize=10.5, color=INK)
