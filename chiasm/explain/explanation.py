"""An answer with its reasons: what the model said, where it looked, what mattered, and how far to believe that."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from PIL.Image import Image
from torch import Tensor

from chiasm.data.distinct import MEMBER
from chiasm.data.example import Example
from chiasm.data.images import open_image
from chiasm.explain.attribution import METHODS, Attribution, attribute
from chiasm.explain.evidence import Maps, observe
from chiasm.explain.probe import probe
from chiasm.tasks import Prediction

if TYPE_CHECKING:
    from chiasm.batch import Batch
    from chiasm.training.bundle import Bundle

SPECIAL = frozenset({"[CLS]", "[SEP]", "[PAD]"})


@dataclass(frozen=True)
class View:
    """One image of an example, with its regions, or with its patches where the model reads whole images."""

    image: Image
    boxes: Tensor  # (R, 4) float: x1, y1, x2, y2 divided by the image's width and height
    patches: bool = False  # the boxes are the cells of a grid: too many and too alike to be numbered
    nodes: bool = False  # the boxes are those of a scene graph's nodes

    @property
    def stream(self) -> str:
        """Whose items the boxes are."""
        return "images" if self.patches else "scene_graph" if self.nodes else "regions"


@dataclass(frozen=True)
class Word:
    """A word of the text and the positions of its pieces among the model's tokens."""

    text: str
    positions: tuple[int, ...]
    space: bool = True  # whether white space comes before it


@dataclass(frozen=True)
class Explanation:
    """One example's answer with all its evidence."""

    prediction: Prediction
    text: str | None
    tokens: tuple[str, ...]  # as the model saw them, [CLS] and [SEP] included
    views: tuple[View, ...]
    maps: tuple[Maps, ...]
    attributions: tuple[Attribution, ...]
    expected: Any = None  # the right answer as the example holds it, None when unknown
    nodes: tuple[str, ...] = ()  # what the nodes of the example's scene graph are called

    @property
    def main(self) -> Attribution | None:
        """The attribution that is shown first: the first method asked for, not the one that looks best."""
        return self.attributions[0] if self.attributions else None

    def words(self) -> tuple[Word, ...]:
        """The words of the text, their pieces joined again, spelt as in the text."""
        return spelt_as(join_pieces(self.tokens), self.text or "")

    def word_relevance(self, attribution: Attribution) -> list[float]:
        """The relevance of each of `words()`: the sum over its pieces."""
        if "text" not in attribution.relevance:
            return [0.0] * len(self.words())
        values = attribution.relevance["text"][0]
        return [float(values[list(word.positions)].sum()) for word in self.words()]

    def region_relevance(self, attribution: Attribution, view: int = 0) -> list[float]:
        """The relevance of each region, patch or node of one view."""
        boxes, stream = self.views[view].boxes, self.views[view].stream
        first = 1 if stream == "images" else 0  # the summary comes before the patches
        if stream not in attribution.relevance:
            return [0.0] * len(boxes)
        values = attribution.relevance[stream][view, first : first + len(boxes)]
        return [float(value) for value in values]

    def item_names(self, stream: str, size: int) -> list[str]:
        """What the `size` rows or columns of a map are called: the text's tokens, the words that the model wrote, the
        nodes of a graph, otherwise their numbers."""
        words = self.prediction.heads.get("words", ())
        for name, items in (("text", self.tokens), ("words", words), ("scene_graph", self.nodes)):
            if stream == name and len(items) == size:
                return list(items)
        return [str(i + 1) for i in range(size)]

    def to_json(self) -> dict[str, Any]:
        """Plain values for a JSON file: the answer, relevances, scores and mean attention; no pixels."""
        return {
            "id": self.prediction.id,
            "text": self.text,
            "answer": self.prediction.answer,
            "probability": self.prediction.probability,
            "alternatives": [list(pair) for pair in self.prediction.alternatives],
            "expected": self.expected,
            "tokens": list(self.tokens),
            "boxes": [view.boxes.tolist() for view in self.views],
            "attributions": [self._attribution_json(one) for one in self.attributions],
            "attention": [_map_json(one) for one in self.maps],
        }

    def _attribution_json(self, attribution: Attribution) -> dict[str, Any]:
        return {
            "method": attribution.method,
            "words": [
                {"word": word.text, "relevance": relevance}
                for word, relevance in zip(self.words(), self.word_relevance(attribution), strict=True)
            ],
            "regions": [self.region_relevance(attribution, view) for view in range(len(self.views))],
            "faithfulness": [score.to_json() for score in attribution.faithfulness.values()],
        }


def explain_example(
    bundle: Bundle,
    example: Example,
    *,
    methods: Sequence[str] = METHODS,
    top_k: int = 5,
    random_orders: int = 10,
    seed: int = 0,
) -> Explanation:
    """The bundle's answer to one example, explained.

    Raises `RowError` when the example cannot be read and `UnknownName` for a method that does not exist.
    """
    with torch.inference_mode(False):  # tensors made in inference mode take no gradients, whoever asks
        batch = bundle.dataset([example])[0].to(next(bundle.model.parameters()).device)
        question = probe(bundle.model, bundle.task, batch)
    output, maps = observe(bundle.model, question.batch)
    (prediction,) = bundle.task.decode(output, [example.id], top_k=top_k)
    text = example.values.get("text")
    tokens, views = _tokens(bundle, text), _views(example, question.batch)
    sizes = {"text": len(tokens)} if tokens else {}
    if question.batch.regions is not None:
        sizes["regions"] = max(len(view.boxes) for view in views)
    return Explanation(
        prediction=prediction,
        text=text,
        tokens=tokens,
        views=views,
        maps=tuple(one.first(sizes) for one in maps),
        attributions=attribute(question, methods, random_orders=random_orders, seed=seed),
        expected=example.values.get("answer"),
        nodes=_nodes(bundle, example),
    )


def shares(relevance: Sequence[float]) -> list[float]:
    """Relevance divided by its largest magnitude: in [-1, 1], signs kept, zeros when all are zero."""
    largest = max((abs(value) for value in relevance), default=0.0)
    return [value / largest if largest > 0 else 0.0 for value in relevance]


def join_pieces(tokens: Sequence[str]) -> tuple[Word, ...]:
    """Word pieces -> words: "##" continues a word; [CLS], [SEP] and padding are left out."""
    words: list[Word] = []
    for position, token in enumerate(tokens):
        if token in SPECIAL:
            continue
        if token.startswith("##") and words:
            words[-1] = Word(words[-1].text + token[2:], (*words[-1].positions, position))
        else:
            words.append(Word(token, (position,)))
    return tuple(words)


def spelt_as(words: Sequence[Word], text: str) -> tuple[Word, ...]:
    """The words with the capitals and spaces of the text; unchanged when they are not found there in order.

    A tokenizer lowers and strips what it reads; the pieces after its length limit are missing, which is fine.
    """
    found, place = [], 0
    for word in words:
        start = text.casefold().find(word.text.casefold(), place)
        if start < 0 or text[place:start].strip():
            return tuple(words)
        end = start + len(word.text)
        found.append(Word(text[start:end], word.positions, space=start > place))
        place = end
    return tuple(found)


def _tokens(bundle: Bundle, text: str | None) -> tuple[str, ...]:
    preprocessor: Any = bundle.preprocessors.get("text")
    return () if preprocessor is None or text is None else tuple(preprocessor.tokens(text))


def _nodes(bundle: Bundle, example: Example) -> tuple[str, ...]:
    preprocessor: Any = bundle.preprocessors.get("scene_graph")
    return () if preprocessor is None else tuple(" ".join(words) for words in preprocessor.graph(example).words)


def _views(example: Example, batch: Batch) -> tuple[View, ...]:
    """The example's images, upright, with the boxes that the model was given: of regions, of patches, or none.

    A model that reads scene graphs reads no image: one that can be opened is shown with the nodes' boxes.
    """
    if batch.scene_graph is not None:
        shown = [image for image in example.values.get("images") or () if _is_there(image)]
        boxes = batch.scene_graph.boxes
        nodes = torch.zeros(0, 4) if boxes is None else boxes[0][batch.scene_graph.node_mask[0]].cpu()
        return tuple(View(open_image(image), nodes, nodes=True) for image in shown)
    grid = None if batch.images is None or batch.images.attention_mask is None else batch.images.attention_mask.shape[1]
    boxes = torch.zeros(0, 4) if grid is None else patch_boxes(grid - 1)
    views = []
    for row, value in enumerate(example.values.get("images") or ()):
        given = boxes if batch.regions is None else _real(batch, row)
        views.append(View(open_image(value), given, patches=batch.regions is None and grid is not None))
    return tuple(views)


def _is_there(image: Any) -> bool:
    """Whether an image value is more than the name of a file that is missing."""
    return not isinstance(image, str | Path) or Path(str(image).partition(MEMBER)[0]).exists()


def patch_boxes(count: int) -> Tensor:
    """(P, 4) the cells of a square grid of `count` patches, row by row, divided by the image's size."""
    side = math.isqrt(count)
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    corner = torch.stack([columns, rows], -1).flatten(0, 1).float()
    return torch.cat([corner, corner + 1], 1) / side


def _real(batch: Batch, row: int) -> Tensor:
    """(R, 4) the boxes of one view without padding, which is at the end."""
    assert batch.regions is not None
    boxes, mask = batch.regions.boxes[row], batch.regions.attention_mask
    return (boxes if mask is None else boxes[mask[row]]).cpu()


def _map_json(one: Maps) -> dict[str, Any]:
    return {
        "title": one.evidence.title,
        "kind": one.evidence.kind,
        "query": one.evidence.query,
        "key": one.evidence.key,
        "layers": len(one.layers),
        "heads": one.layers[0].shape[1],
        "mean": one.mean().tolist(),
    }
