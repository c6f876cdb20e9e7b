"""The official measures of GQA (Hudson and Manning, CVPR 2019), in the definitions of the released `eval.py`.

Everything is measured on the balanced questions; unbalanced ones only take part as entailed questions.

    accuracy       exact match; also by structural, semantic and detailed type, by words and by steps
    binary, open   accuracy where the structural type is not, or is, "query"
    consistency    over correctly answered questions: the share of their entailed questions that are right too
    validity       the answer is one that the question can have at all ("choices" file)
    plausibility   ... one that makes sense in the world
    distribution   how far the predicted answers of a group are from the true ones: chi-square / 100, lower is better
    grounding      the attention paid to the regions that question and answer speak of
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from chiasm.metrics.estimate import Array, Estimate, Mask, Resampling, members

Box = Sequence[float]  # x1, y1, x2, y2 divided by the image's width and height
SHARED_PROPERTIES = frozenset({"color", "material", "shape"})  # the answers to "what do the two have in common?"
FINAL_STEPS = ("exist", "query: name", "choose name")  # operations that do not count as a reasoning step


@dataclass(frozen=True)
class Question:
    """What the measures need to know of one question. None: not known, and left out of that break-down."""

    id: str
    answer: str
    image: str
    structural: str | None = None  # verify, query, choose, logical, compare
    semantic: str | None = None  # obj, attr, cat, rel, global
    detailed: str | None = None
    group: str | None = None  # the global answer group, for the distribution
    entailed: tuple[str, ...] = ()  # ids of questions whose answers follow from this one's
    words: int | None = None
    steps: int | None = None
    balanced: bool = True


@dataclass(frozen=True)
class Choices:
    """The answers that are valid, and those that are plausible, for one question."""

    valid: Collection[str]
    plausible: Collection[str]


def steps(program: Sequence[Mapping[str, object]]) -> int:
    """How many reasoning steps a functional program ("semantic" in the official file) has, the last query left out."""
    texts = [f"{step['operation']}: {step['argument']}" for step in program]
    return sum(not any(final in text for final in FINAL_STEPS) for text in texts)


def evaluate(
    questions: Sequence[Question],
    predictions: Mapping[str, str],
    *,
    choices: Mapping[str, Choices] | None = None,
    grounding: Mapping[str, float] | None = None,
    all_entailed: bool = False,
) -> dict[str, Estimate]:
    """Every measure that the arguments allow, by name; parts as `accuracy/<facet>/<type>`. Intervals resample images.

    Consistency counts the entailed questions that are among `questions`; `entailed_known` says which share of them
    that is, and with `all_entailed` anything below 1 is an error, as in the official script. `grounding` holds the
    score of each question (`grounding_score`). Raises ValueError naming the ids that are missing.
    """
    balanced = [q for q in questions if q.balanced]
    if not balanced:
        raise ValueError("there is no balanced question to measure")
    _require("prediction", [q.id for q in balanced], predictions)
    right = {q.id: predictions[q.id] == q.answer for q in questions if q.id in predictions}
    resampling = Resampling([q.image for q in balanced])
    correct = np.array([right[q.id] for q in balanced], dtype=np.float64)
    measures = resampling.shares(correct, _accuracy_parts(balanced))
    measures |= _consistency(balanced, correct > 0, right, resampling, all_entailed)
    if choices is not None:
        _require("choices", [q.id for q in balanced], choices)
        measures |= _belonging(balanced, predictions, choices, resampling)
    if any(q.group is not None for q in balanced):
        measures["distribution"] = _distribution(balanced, predictions, resampling)
    if grounding is not None:
        _require("grounding score", [q.id for q in balanced], grounding)
        values = np.array([[grounding[q.id], 1.0] for q in balanced])
        measures["grounding"] = resampling.of_sums(values, lambda sums: sums[:, :1] / sums[:, 1:])[0]
    return measures


def grounding_score(attention: Sequence[tuple[Box, float]], regions: Sequence[Box]) -> float:
    """Of one question: the sum over gold `regions` of attention times the share of the attended box inside it.

    `attention`: boxes and their probabilities; `attention_grid` makes them of a map. A box without an area counts
    for nothing.
    """
    total = 0.0
    for (x1, y1, x2, y2), probability in attention:
        area = (x2 - x1) * (y2 - y1)
        for rx1, ry1, rx2, ry2 in regions:
            width, height = min(x2, rx2) - max(x1, rx1), min(y2, ry2) - max(y1, ry1)
            if width > 0 and height > 0 and area > 0:
                total += probability * width * height / area
    return total


def gold_regions(annotations: Mapping[str, Mapping[str, str]], scene_graph: Mapping[str, Any]) -> list[Box]:
    """The boxes of the objects that a question and its full answer name, for `grounding_score`.

    `annotations` are the official ones, {"question": {word: object id}, "fullAnswer": ...}; `scene_graph` is the
    image's. Raises ValueError for an object that the graph does not have.
    """
    # Differs: the paper counts the whole image for questions about the scene; the released script means to, but
    # never does (it looks for "scene" among the keys of a step), and is followed here.
    width, height, objects = scene_graph["width"], scene_graph["height"], scene_graph["objects"]
    named = [i for part in ("question", "fullAnswer") for i in annotations.get(part, {}).values()]
    unknown = [i for i in named if i not in objects]
    if unknown:
        raise ValueError(f"object {unknown[0]} is not in the scene graph; is it of another image?")
    return [
        (o["x"] / width, o["y"] / height, (o["x"] + o["w"]) / width, (o["y"] + o["h"]) / height)
        for o in (objects[i] for i in named)
    ]


def attention_grid(attention: Array) -> list[tuple[Box, float]]:
    """(columns, rows) attention map -> its cells as boxes. The first axis runs along x, as in the official script."""
    across, down = attention.shape
    return [
        ((i / across, j / down, (i + 1) / across, (j + 1) / down), float(attention[i, j]))
        for i in range(across)
        for j in range(down)
    ]


def _accuracy_parts(questions: Sequence[Question]) -> dict[str, Mask]:
    is_open = np.array([q.structural == "query" for q in questions])
    typed = np.array([q.structural is not None for q in questions])
    parts: dict[str, Mask] = {"accuracy": np.ones(len(questions), dtype=bool)}
    if typed.any():
        parts |= {"binary": typed & ~is_open, "open": is_open}
    for facet in ("structural", "semantic", "detailed", "words", "steps"):
        parts |= members(f"accuracy/{facet}", [getattr(q, facet) for q in questions])
    return parts


def _consistency(
    questions: Sequence[Question],
    correct: Mask,
    right: Mapping[str, bool],
    resampling: Resampling,
    all_entailed: bool,
) -> dict[str, Estimate]:
    """Nothing when no correctly answered question entails another."""
    entailed = [[e for e in q.entailed if e != q.id] if c else [] for q, c in zip(questions, correct, strict=True)]
    known = [[right[e] for e in ids if e in right] for ids in entailed]
    asked, found = sum(map(len, entailed)), sum(map(len, known))
    if all_entailed:
        _require("prediction of an entailed question", [e for ids in entailed for e in ids], right)
    if not asked:
        return {}
    scores = np.array([np.mean(answers) if answers else 0.0 for answers in known])
    counted = np.array([bool(answers) for answers in known])
    shares = np.array([[len(k), len(e)] for k, e in zip(known, entailed, strict=True)], dtype=np.float64)
    (coverage,) = resampling.of_sums(shares, lambda s: s[:, :1] / np.maximum(s[:, 1:], 1), counts=[asked])
    if not found:
        return {"entailed_known": coverage}
    return resampling.shares(scores, {"consistency": counted}) | {"entailed_known": coverage}


def _belonging(
    questions: Sequence[Question],
    predictions: Mapping[str, str],
    choices: Mapping[str, Choices],
    resampling: Resampling,
) -> dict[str, Estimate]:
    found: dict[str, Estimate] = {}
    for name, field in [("validity", "valid"), ("plausibility", "plausible")]:
        sets = [
            SHARED_PROPERTIES if "Common" in (q.detailed or "") else getattr(choices[q.id], field) for q in questions
        ]
        scores = [predictions[q.id] in allowed for q, allowed in zip(questions, sets, strict=True)]
        found |= resampling.shares(scores, {name: np.ones(len(scores), dtype=bool)})
    return found


def _distribution(questions: Sequence[Question], predictions: Mapping[str, str], resampling: Resampling) -> Estimate:
    """The chi-square of each group's predicted answer counts against the true ones, weighted by group, / 100.

    Predicted answers that are not the true answer of any question in the group are ignored, as officially.
    """
    cells: dict[tuple[str, str], int] = {}  # (group, true answer) -> column
    for q in questions:
        if q.group is not None:
            cells.setdefault((q.group, q.answer), len(cells))
    k = len(cells)
    grouped = [(row, q) for row, q in enumerate(questions) if q.group is not None]
    gold = [(row, cells[q.group or "", q.answer]) for row, q in grouped]
    named = [(row, cells.get((q.group or "", predictions[q.id]))) for row, q in grouped]
    entries = gold + [(row, k + column) for row, column in named if column is not None]
    rows, columns = zip(*entries, strict=True)
    counts = sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(questions), 2 * k))
    groups = {group: i for i, group in enumerate(dict.fromkeys(group for group, _ in cells))}
    of_group = np.zeros((k, len(groups)))
    of_group[np.arange(k), [groups[group] for group, _ in cells]] = 1

    def chi_square(sums: Array) -> Array:
        true, predicted = sums[:, :k], sums[:, k:]
        each = np.where(true > 0, (predicted - true) ** 2 / np.maximum(true, 1), 0.0)
        sizes = true @ of_group
        return ((each @ of_group) * sizes).sum(1, keepdims=True) / sizes.sum(1, keepdims=True) / 100

    (found,) = resampling.of_sums(counts, chi_square, counts=[len(grouped)], remove_bias=True)
    return Estimate(found.value, max(0.0, found.low), found.high, found.n)


def _require(what: str, ids: Sequence[str], known: Collection[str]) -> None:
    missing = sorted({i for i in ids if i not in known})
    if missing:
        shown = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        raise ValueError(f"no {what} for {len(missing)} question(s): {shown}")
