"""Pre-training on sentences with images: words, matching, regions and answers that were hidden (LXMERT, section 3).

Examples are sentences of any sets: captions have no answer, questions have one (a text, annotators' answers, or
{answer: score}). What is hidden is made by `chiasm.data.hidden`, anew on each visit of training and once for
held-out data, so that its losses can be compared over a run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from torch import Tensor

from chiasm.batch import Output
from chiasm.data.answer_table import fit_table, read_table, table_scores
from chiasm.data.answers import SparseColumn, build_targets, soft_scores
from chiasm.data.columns import Column, EncodedDataset
from chiasm.data.distinct import DistinctImages
from chiasm.data.example import DataError, Example
from chiasm.data.hidden import HiddenDataset, Hiding, NamedRegions
from chiasm.data.vocabulary import IGNORE, AnswerVocabulary
from chiasm.metrics.estimate import Array, Estimate, Resampling
from chiasm.objectives import Objective
from chiasm.objectives.cases import class_of_case, smooth_difference, squared_difference
from chiasm.tasks import BaseTask, Prediction
from chiasm.tasks._decoding import ranked, scores_of
from chiasm.tasks._pairing import images_of, load_state, paired, save_state

Head = Literal["words", "matched", "objects", "attributes", "features", "answer"]
HEADS: tuple[Head, ...] = ("words", "matched", "objects", "attributes", "features", "answer")
MEASURED = "measured/"  # the model's states: (B, 4) sums of loss, cases, right places and places


class LxmertPretraining(BaseTask):
    """Guess what is hidden. The headline is minus the sum of the losses on held-out sentences.

    - `losses`: what is learnt; without "matched" no sentence is exchanged
    - `hidden_share`: of the words and of the regions
    - `region_hiding`: "80_10_10" as words (released code), "zero" (paper)
    - `visual_loss_on`: classes of "all" regions (released code) or of "masked" ones (paper)
    - `visual_loss_confidence`: a class counts as much as the detector was sure of it (released code)
    - `feature_loss`: "smooth_l1" (released code) or "l2" (paper)
    - `answer_table`: a file, such as LXMERT's `all_ans.json`, limited to `answer_sets`; "": the `max_answers`
      commonest answers of the training sentences
    - `answers_from_epoch`, `answer_weight`: 10 and 2 are the paper's two stages; 0 and 1 the released code's single one
    - `labels`: the regions' classes were "detected" (in the feature store), or "named" by scene graphs
    """

    name = "lxmert_pretraining"
    headline = "minus_loss"
    measured_on_targets = True

    def __init__(
        self,
        *,
        losses: tuple[Head, ...] = HEADS,
        hidden_share: float = 0.15,
        region_hiding: Literal["80_10_10", "zero"] = "80_10_10",
        visual_loss_on: Literal["all", "masked"] = "all",
        visual_loss_confidence: bool = True,
        feature_loss: Literal["smooth_l1", "l2"] = "smooth_l1",
        answer_table: str = "",
        answer_sets: tuple[str, ...] = (),
        max_answers: int = 9500,
        answers_from_epoch: int = 10,
        answer_weight: float = 2.0,
        labels: Literal["detected", "named"] = "detected",
    ) -> None:
        if not 0 < hidden_share < 1:
            raise ValueError(f"hidden_share is {hidden_share}: a share above 0 and below 1 is expected")
        if not losses:
            raise ValueError(f"losses is empty: choose among {', '.join(HEADS)}")
        self.options: dict[str, Any] = {
            "losses": list(losses),
            "hidden_share": hidden_share,
            "region_hiding": region_hiding,
            "visual_loss_on": visual_loss_on,
            "visual_loss_confidence": visual_loss_confidence,
            "feature_loss": feature_loss,
            "answer_table": answer_table,
            "answer_sets": list(answer_sets),
            "max_answers": max_answers,
            "answers_from_epoch": answers_from_epoch,
            "answer_weight": answer_weight,
            "labels": labels,
        }
        self._losses = tuple(head for head in HEADS if head in losses)
        share, from_epoch = hidden_share, answers_from_epoch
        self._hiding = Hiding(
            self._losses, share, region_hiding, visual_loss_on, visual_loss_confidence, from_epoch, answer_weight
        )
        self._vocabulary: AnswerVocabulary | None = None
        self._names: dict[str, list[str]] = {}  # "objects" and "attributes" of named regions

    @property
    def vocabulary(self) -> AnswerVocabulary:
        """The joint answer table. Raises RuntimeError before `fit`."""
        if self._vocabulary is None:
            raise RuntimeError(f"task {self.name!r} has no answers yet: call fit(training examples) or load(folder)")
        return self._vocabulary

    def fit(self, examples: Sequence[Example]) -> Self:
        """Read the answer table or take it from the sentences; number the names of regions that are named."""
        path, sets = self.options["answer_table"], self.options["answer_sets"]
        if path:
            self._vocabulary = read_table(Path(path), sets=sets)
        elif "answer" in self._losses:
            self._vocabulary = fit_table(map(_scores, examples), max_size=self.options["max_answers"])
        else:
            self._vocabulary = AnswerVocabulary(["(no answers are learnt)"])
        if self.options["labels"] == "named":
            named = [thing for example in examples for thing in _things(example)]
            self._names = {
                "objects": sorted({name for name, _ in named}),
                "attributes": sorted({attribute for _, attribute in named if attribute}),
            }
        return self

    def facts(self) -> Mapping[str, int]:
        sizes = {f"num_{head}": max(1, len(names)) for head, names in self._names.items()}
        return {"num_labels": len(self.vocabulary), "num_images": 1, **sizes}

    def objectives(self) -> Mapping[str, Objective]:
        differences = {"smooth_l1": smooth_difference, "l2": squared_difference}
        features = differences[self.options["feature_loss"]]
        return {head: features if head == "features" else class_of_case for head in self._losses}

    def targets(self, examples: Sequence[Example]) -> Mapping[str, Column]:
        """ "answer": (B, A) scores over the joint table. The other targets are made batch by batch (`dataset`)."""
        return {"answer": build_targets("soft", [_scores(e) or None for e in examples], self.vocabulary).column}

    def labelled(self, example: Example) -> bool:
        """Always: what was hidden is known, whether or not the sentence is a question with an answer."""
        return True

    def dataset(self, examples: Sequence[Example], streams: Mapping[str, Column]) -> EncodedDataset:
        """The examples, of which each batch hides a part."""
        found = self.targets(examples)["answer"] if "answer" in self._losses else None
        answers = found if isinstance(found, SparseColumn) else None
        named = None
        if self.options["labels"] == "named" and "regions" in streams:
            named = self._named(examples)
        return HiddenDataset(examples, streams, answers, self._hiding, named)

    def _named(self, examples: Sequence[Example]) -> NamedRegions:
        """The numbers of the names of every distinct image's regions."""
        distinct = DistinctImages(examples)
        image = distinct.index[:, 0]
        first = dict(zip(reversed(image.tolist()), reversed(examples), strict=True))
        things = [list(_things(first[i])) for i in range(len(distinct.values))]
        known = [{name: n for n, name in enumerate(self._names[head])} for head in ("objects", "attributes")]
        labels = torch.full((2, len(things), max(map(len, things))), IGNORE)
        for i, row in enumerate(things):
            for k in (0, 1):
                labels[k, i, : len(row)] = torch.tensor([known[k].get(thing[k], IGNORE) for thing in row])
        return NamedRegions(labels[0], labels[1], image)

    def decode(self, output: Output, ids: Sequence[str], *, top_k: int = 5) -> list[Prediction]:
        """The answer of the table; `heads` has the probability that the sentence matches, and of batches with targets
        each head's sums of loss, cases, right places and places."""
        probabilities = scores_of(output, "answer", ids, len(self.vocabulary)).softmax(1)
        matched = scores_of(output, "matched", ids, 2).softmax(1)[:, 1].tolist()
        sums = {h: output.states[MEASURED + h].detach().double().cpu() for h in HEADS if MEASURED + h in output.states}
        found = []
        for row, one in enumerate(ranked(probabilities, self.vocabulary.answers, ids, top_k)):
            heads: dict[str, Any] = {"matched": matched[row]}
            if sums:
                heads["measured"] = {head: values[row].tolist() for head, values in sums.items()}
            found.append(Prediction(one.id, one.answer, one.probability, one.alternatives, heads))
        return found

    def evaluate(self, predictions: Sequence[Prediction], examples: Sequence[Example]) -> Mapping[str, Estimate]:
        """`loss`, `minus_loss`, `loss/<head>` and `accuracy/<head>`, over all places of the data set.

        The accuracy of objects and attributes is over the places that the loss counts. Raises DataError for
        predictions of batches from which nothing was hidden.
        """
        said = paired(predictions, examples)
        if any("measured" not in prediction.heads for prediction in said):
            raise DataError("nothing was hidden from these examples: pre-training is measured on its own batches")
        heads = [head for head in HEADS if head in said[0].heads["measured"]]
        table = np.array([[prediction.heads["measured"][head] for head in heads] for prediction in said])  # (n, H, 4)
        resampling = Resampling(images_of(examples))
        losses = resampling.of_sums(table[:, :, :2].reshape(len(said), -1), _total_and_parts)
        measures = {"minus_loss": _negative(losses[0]), "loss": losses[0]}
        measures |= {f"loss/{head}": estimate for head, estimate in zip(heads, losses[1:], strict=True)}
        for number, head in enumerate(heads):
            right, places = table[:, number, 2], table[:, number, 3]
            if head != "features" and places.sum():
                columns = np.stack([right, places], 1)
                measures[f"accuracy/{head}"] = resampling.of_sums(columns, _ratios, counts=[int(places.sum())])[0]
        return measures

    def submission(self, predictions: Sequence[Prediction], path: Path) -> None:
        """No one collects these: JSON lines of id, answer and the probability that the sentence matches."""
        lines = [json.dumps({"id": p.id, "answer": p.answer, "matched": p.heads["matched"]}) for p in predictions]
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    def score_of(self, output: Output, answers: Sequence[int]) -> Tensor:
        scores = output.scores["answer"]
        return scores.gather(1, scores.new_tensor(answers).long()[:, None]).squeeze(1)

    def save(self, folder: Path) -> None:
        save_state(folder, self.name, self.options, answers=self.vocabulary.answers, names=self._names)

    @classmethod
    def load(cls, folder: Path) -> Self:
        state = load_state(folder, cls.name, "answers", "names")
        options: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in state["options"].items()}
        task = cls(**options)
        task._vocabulary, task._names = AnswerVocabulary(state["answers"]), dict(state["names"])
        return task


Task = LxmertPretraining


def _scores(example: Example) -> dict[str, float]:
    """The answers of a sentence with their scores, as the table writes them; none for a caption."""
    return table_scores(soft_scores(example.values.get("answer")))


def _things(example: Example) -> Sequence[tuple[str, str]]:
    """(name, attribute) of each region of the example's image, in the order of its boxes; attribute "" for none."""
    things = example.values.get("objects")
    if not things:
        raise DataError(f"{example.origin}: the regions of example {example.id} have no names (labels = 'named')")
    return [(str(name), str(attribute)) for name, attribute in things[0]]


def _total_and_parts(sums: Array) -> Array:
    """(draws, 2H) loss and cases of each head -> (draws, 1 + H): the sum of all mean losses, then each."""
    parts = _ratios(sums)
    return np.concatenate([np.nansum(parts, 1, keepdims=True), parts], 1)


def _ratios(sums: Array) -> Array:
    """(draws, 2H) -> (draws, H): each pair's first over its second, NaN where nothing was counted."""
    above, below = sums[:, 0::2], sums[:, 1::2]
    return np.where(below > 0, above / np.where(below > 0, below, 1), np.nan)


def _negative(estimate: Estimate) -> Estimate:
    return Estimate(-estimate.value, -estimate.high, -estimate.low, estimate.n)
