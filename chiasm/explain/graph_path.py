"""Where on a scene graph an answer comes from, step by step; and how near that is to the steps of a gold program.

The answer reads the nodes with weights p_M. A node's state before a step is half its own and half what it took from
its neighbours there (as in attention rollout), so

    p_{k-1} = p_k (I + A_k) / 2

says where what is read at the end stood before step k, with A_k the attention of step k (rows take, mean over heads).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chiasm.data.example import DataError, Example
from chiasm.data.graphs import Graph
from chiasm.data.scene_graph import Preprocess
from chiasm.explain.evidence import Maps, observe
from chiasm.metrics.estimate import Estimate, mean
from chiasm.metrics.gqa import Box, gold_regions, grounding_score
from chiasm.tasks import Prediction

if TYPE_CHECKING:
    from chiasm.training.bundle import Bundle

Array = NDArray[np.float64]

_THINGS = re.compile(r"\(([^()]*)\)\s*$")  # at the end of a program step's argument: the ids of what it denotes
LEAST = 0.15  # of a step's flow that is drawn as an arrow
CHUNK = 128  # examples in one pass


@dataclass(frozen=True)
class GraphPath:
    """One answer's way through its graph."""

    prediction: Prediction
    example: Example
    graph: Graph
    at: Array  # (M + 1, N): where what is read stood before step 1, ..., after step M; rows sum to 1
    taken: tuple[Array, ...]  # of each step (N, N): how much of the flow goes to a node (row) from a node (column)

    def nodes(self) -> tuple[int, ...]:
        """The node with the most of the flow before the first and after each step: the path."""
        return tuple(int(i) for i in self.at.argmax(1))

    def name(self, node: int) -> str:
        """A node's name with its attributes in front: "small red cube"."""
        name, *attributes = self.graph.words[node]
        return " ".join([*attributes, name])

    def to_text(self) -> str:
        """The path in a line: "large red cube > large red cube > small ball"."""
        return " > ".join(self.name(node) for node in self.nodes())

    def to_json(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return {
            "id": self.prediction.id,
            "text": self.example.values.get("text"),
            "answer": self.prediction.answer,
            "expected": self.example.values.get("answer"),
            "nodes": [{"id": i, "words": list(w)} for i, w in zip(self.graph.ids, self.graph.words, strict=True)],
            "path": [self.graph.ids[node] for node in self.nodes()],
            "at": self.at.tolist(),
            "gold": [sorted(step) for step in gold_steps(self.example)],
        }


def graph_paths(bundle: Bundle, examples: Sequence[Example]) -> list[GraphPath]:
    """The path of each example. Raises `DataError` when the model shows no attention between nodes."""
    preprocess = bundle.preprocessors.get("scene_graph")
    if not isinstance(preprocess, Preprocess):
        raise DataError(f"the model {bundle.recipe.model!r} reads no scene graph")
    dataset = bundle.dataset(examples)
    device = next(bundle.model.parameters()).device
    found = []
    for start in range(0, len(examples), CHUNK):
        batch = dataset.batch(torch.arange(start, min(start + CHUNK, len(examples)))).to(device)
        output, maps = observe(bundle.model, batch)
        steps, gate = _flows(bundle, maps)
        predictions = bundle.task.decode(output, batch.ids)
        for row, prediction in enumerate(predictions):
            example = examples[start + row]
            graph = preprocess.graph(example)
            at, taken = _walked([step[row] for step in steps], gate[row], len(graph.ids))
            found.append(GraphPath(prediction, example, graph, at, taken))
    return found


def gold_steps(example: Example) -> list[frozenset[str]]:
    """The ids of the objects that each step of the gold program denotes, of the steps that denote any."""
    found = []
    for step in example.info.get("program") or ():
        match = _THINGS.search(str(step.get("argument", "")))
        ids = frozenset(re.findall(r"\d+", match[1])) if match else frozenset()
        if ids:
            found.append(ids)
    return found


def path_score(at: Array, gold: Sequence[frozenset[int]]) -> float:
    """How much of the flow lies on the gold steps' nodes: the best walk through both, neither ever going back.

    (M + 1, N) and the nodes of S gold steps -> in [0, 1]: each gold step is given one of the model's rows, later steps
    no earlier rows, so that the mean share of the flow on the steps' nodes is largest. Raises ValueError for S = 0.
    """
    if not gold:
        raise ValueError("there are no gold steps to compare with")
    mass = np.array([[row[sorted(nodes)].sum() for row in at] for nodes in gold])  # (S, M + 1)
    best = np.maximum.accumulate(mass[0])
    for step in mass[1:]:
        best = np.maximum.accumulate(best + step)
    return float(best[-1] / len(gold))


def score_paths(paths: Sequence[GraphPath], *, random_orders: int = 10, seed: int = 0) -> Mapping[str, Estimate]:
    """ "gold_path": the mean score of paths with gold steps; "random": the same when nodes are shuffled.

    "last_step": the share of the answer's reading that lies on the last gold step's nodes, and "last_step_even" what
    reading all nodes alike gives. "grounding" is GQA's own measure, of the answer's reading, where a question says
    which objects its words stand for (and the graph has them, `not_grounded`), and "grounding_even" what reading all
    alike gives. Intervals resample images. What no example allows is not there: nothing at all without gold.
    """
    generator = np.random.default_rng(seed)
    rows, images = [], []
    for path in paths:
        places = {name: place for place, name in enumerate(path.graph.ids)}
        gold = [frozenset(places[i] for i in step if i in places) for step in gold_steps(path.example)]
        gold = [step for step in gold if step]
        if not gold:
            continue
        shuffled = [path.at[:, generator.permutation(path.at.shape[1])] for _ in range(random_orders)]
        last = sorted(gold[-1])
        rows.append(
            (
                path_score(path.at, gold),
                float(np.mean([path_score(at, gold) for at in shuffled])),
                float(path.at[-1][last].sum()),
                len(last) / path.at.shape[1],
            )
        )
        images.append(_image(path))
    return _means(("gold_path", "random", "last_step", "last_step_even"), rows, images) | _grounding(paths)


def not_grounded(paths: Sequence[GraphPath]) -> list[str]:
    """The ids of examples whose annotations name an object that their graph lacks, or of which it has no box."""
    return [path.example.id for path in paths if _annotations(path) and _gold_boxes(path) is None]


def _grounding(paths: Sequence[GraphPath]) -> dict[str, Estimate]:
    """GQA's grounding of the nodes that the answer reads, and of all nodes alike."""
    rows, images = [], []
    for path in paths:
        regions = _gold_boxes(path) if _annotations(path) else None
        if regions is None:
            continue
        read = path.at[-1]
        even = np.full_like(read, 1 / len(read))
        pairs = (list(zip(path.graph.boxes, weights.tolist(), strict=True)) for weights in (read, even))
        rows.append([grounding_score(attention, regions) for attention in pairs])
        images.append(_image(path))
    return _means(("grounding", "grounding_even"), rows, images)


def _annotations(path: GraphPath) -> dict[str, Mapping[str, str]]:
    """Which objects the words of the question and of the full answer stand for."""
    told = path.example.info.get("annotations") or {}
    return {part: told[part] for part in ("question", "fullAnswer") if told.get(part)}


def _gold_boxes(path: GraphPath) -> list[Box] | None:
    """The boxes of the objects that the annotations name; None where the graph does not have them all."""
    try:
        return gold_regions(_annotations(path), path.example.values["graph"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):  # a predicted graph has other objects, or no boxes
        return None


def _means(names: Sequence[str], rows: Sequence[Sequence[float]], images: Sequence[str]) -> dict[str, Estimate]:
    """The mean of each column; nothing for no rows."""
    columns = np.array(rows).reshape(-1, len(names)).T
    return {name: mean(values, images) for name, values in zip(names, columns, strict=True) if rows}


def _image(path: GraphPath) -> str:
    return str(path.example.info.get("image_id", path.example.id))


def _flows(bundle: Bundle, maps: Sequence[Maps]) -> tuple[list[Tensor], Tensor]:
    """The attention of each step (B, N, N), mean over heads, and the answer's weights (B, N)."""
    between = [m for m in maps if m.evidence.kind == "relation" and m.evidence.query == "scene_graph"]
    gates = [m for m in maps if m.evidence.kind == "gate" and m.evidence.key == "scene_graph"]
    if not between or not gates:
        raise DataError(
            f"the model {bundle.recipe.model!r} shows no attention between nodes; GraphVQA with GAT and LCGN do"
        )
    return list(between[0].mean_over_heads()), gates[0].layers[0][:, 0, 0]


def _walked(steps: Sequence[Tensor], gate: Tensor, size: int) -> tuple[Array, tuple[Array, ...]]:
    """Back from the answer: (M + 1, N) where the flow was, and what went along the edges of each step (N, N)."""
    at: list[Array] = [gate[:size].double().cpu().numpy()]
    taken: list[Array] = []
    for step in reversed(steps):
        attention = step[:size, :size].double().cpu().numpy()
        flow = at[0][:, None] * attention / 2
        taken.insert(0, flow)
        at.insert(0, at[0] / 2 + flow.sum(0))
    return np.stack(at), tuple(taken)
