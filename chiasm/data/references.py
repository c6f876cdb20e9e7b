"""Examples with several right sentences each: which one is learnt on each visit, and what the others add.

Sampling (VBCS, sheet `caption_sampling`, section 4): one sentence of an example is drawn on each visit, all alike or by
given probabilities. Smoothing (WCS, section 5): at step t a share alpha of the mass goes to the words that the
example's sentences have there,

    (1 - alpha) onehot(y_drawn,t) + alpha * sum_k p_k onehot(y_k,t)

with the drawn one among them, each cut or continued to the drawn one's length.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chiasm.batch import Batch
from chiasm.data.columns import Column, EncodedDataset
from chiasm.data.draws import uniform
from chiasm.data.example import Example
from chiasm.data.vocabulary import IGNORE
from chiasm.data.words import END

Sampling = Literal["uniform", "validity", "best"]
Smoothing = Literal["none", "label", "label_others", "references"]
AfterEnd = Literal["pad_token", "zero", "renormalise"]


@dataclass(frozen=True)
class Teaching:
    """How sentences are learnt.

    - `sampling`: "uniform", by the probabilities given ("validity"), or always the likeliest ("best")
    - `smoothing`: "label" gives `alpha` to all words alike, "label_others" to all but the right one, "references" to
      the words of all the example's sentences
    - `after_end`: what a shorter sentence says after its end: the `pad` word, nothing ("zero": mass is lost), or
      nothing, and the others share its part ("renormalise")
    """

    sampling: Sampling = "uniform"
    smoothing: Smoothing = "none"
    alpha: float = 0.2
    even: bool = False  # smoothing gives all of an example's sentences the same part, whatever their probabilities
    after_end: AfterEnd = "pad_token"
    # Differs: the paper pads with a word of its own; the public captioner has one number for padding and end.
    pad: int = END
    num_words: int = 0  # of the vocabulary, for "label_others"


class ReferenceColumn(Column):
    """The sentences of all examples: flat words, where each sentence begins, and which ones an example has."""

    def __init__(self, sentences: Sequence[Sequence[Sequence[int]]]) -> None:
        flat = [sentence for of_example in sentences for sentence in of_example]
        self.words = torch.tensor([w for sentence in flat for w in sentence], dtype=torch.int32)
        self.offsets = _starts([len(sentence) for sentence in flat])  # (sentences + 1,)
        self.first = _starts([len(of_example) for of_example in sentences])  # (examples + 1,)

    def __len__(self) -> int:
        return len(self.first) - 1

    @property
    def counts(self) -> Tensor:
        """(examples,) how many sentences each has."""
        return self.first.diff()

    def gather(self, examples: Tensor) -> Tensor:
        """(B,) -> (B, T, 1): each example's first sentence, `IGNORE` after its end, or throughout if it has none."""
        return self.sentences(self.first[examples], self.counts[examples] > 0)[..., None]

    def sentences(self, numbers: Tensor, there: Tensor | None = None) -> Tensor:
        """Sentence numbers (...,) -> (..., T), T the longest of them; `IGNORE` after the end and where not `there`."""
        there = torch.ones_like(numbers, dtype=torch.bool) if there is None else there
        numbers = torch.where(there, numbers, 0).clamp(max=max(len(self.offsets) - 2, 0))
        lengths = (
            torch.where(there, self.offsets[numbers + 1] - self.offsets[numbers], 0)
            if len(self.words)
            else (torch.zeros_like(numbers))
        )
        steps = torch.arange(max(1, int(lengths.max()) if lengths.numel() else 1))
        real = steps < lengths[..., None]
        if not len(self.words):
            return torch.full(real.shape, IGNORE)
        places = (self.offsets[numbers][..., None] + steps).clamp(max=len(self.words) - 1)
        return torch.where(real, self.words[places].long(), IGNORE)

    def lengths(self) -> Tensor:
        """(examples,) words of the longest sentence of each."""
        own = self.offsets.diff()
        found = torch.zeros(len(self), dtype=torch.int64)
        return found.scatter_reduce(0, torch.repeat_interleave(self.counts), own, "amax")


class ReferenceDataset(EncodedDataset):
    """Examples with references, of which `batch` draws one each: new ones on each visit of training, fixed otherwise.

    `probabilities` (sentences,) sum to 1 over each example's. Targets: "words" (B, T, 1 or 1 + K), the drawn sentence
    first, `IGNORE` after its end; with smoothing "words_weight", of the same shape, and "words_even" (B, T).
    """

    def __init__(
        self,
        examples: Sequence[Example],
        streams: Mapping[str, Column],
        references: ReferenceColumn,
        probabilities: Sequence[float] | NDArray[np.float64],
        teaching: Teaching,
    ) -> None:
        super().__init__(examples, streams, {})
        if len(references) != len(examples):
            raise ValueError(f"references of {len(references)} examples for {len(examples)}")
        self.references, self.teaching = references, teaching
        self.probabilities = torch.as_tensor(np.asarray(probabilities, dtype=np.float64))
        self._sums = np.concatenate([[0.0], np.cumsum(self.probabilities.numpy())])

    def batch(self, positions: Tensor) -> Batch:
        """The examples at `positions`, each with the sentence of this visit.

        One without sentences has `IGNORE` throughout; where none has any there are no targets.
        """
        found = super().batch(positions)
        there = self.references.counts[positions] > 0
        if not bool(there.any()):
            return found
        drawn = self.draw(positions)
        targets = {"words": self.references.sentences(self.references.first[positions] + drawn, there)[..., None]}
        if self.teaching.smoothing != "none":
            targets = self._smoothed(positions, drawn, targets["words"])
        return Batch(**{**vars(found), "targets": {**found.targets, **targets}})

    def lengths(self) -> Tensor | None:
        """The streams' lengths, and the sentence's where each example has one."""
        streams = super().lengths()
        if bool((self.references.counts == 1).all()):
            own = self.references.lengths()
            return own if streams is None else streams + own
        return streams

    def draw(self, positions: Tensor) -> Tensor:
        """(B,) -> (B,): which of its sentences each example has on this visit; 0 for one without any."""
        counts, first = self.references.counts[positions].numpy(), self.references.first[positions].numpy()
        if self.teaching.sampling == "best":
            likeliest = [self._of(i) for i in positions.tolist()]
            return torch.tensor([int(shares.argmax()) if len(shares) else 0 for shares in likeliest])
        visit = (0,) if self.visit is None else (1, *self.visit)
        u = uniform("sentence", *visit, positions.numpy())
        if self.teaching.sampling == "uniform":
            return torch.from_numpy((u * counts).astype(np.int64))
        start, stop = self._sums[first], self._sums[first + counts]
        found = np.searchsorted(self._sums, start + u * (stop - start), side="right") - 1 - first
        return torch.from_numpy(np.clip(found, 0, np.maximum(counts - 1, 0)))

    def _of(self, position: int) -> Tensor:
        first, after = self.references.first[position : position + 2].tolist()
        return self.probabilities[first:after]

    def _smoothed(self, positions: Tensor, drawn: Tensor, words: Tensor) -> dict[str, Tensor]:
        teaching, real = self.teaching, words >= 0
        if teaching.smoothing == "references":
            counts = self.references.counts[positions]
            places = torch.arange(int(counts.max()))
            there = places < counts[:, None]  # (B, K)
            numbers = torch.where(there, self.references.first[positions][:, None] + places, 0)
            known = (
                (1 / counts[:, None].clamp(min=1)).expand_as(there) if teaching.even else self.probabilities[numbers]
            )
            shares = torch.where(there, known, 0.0).float()
            sentences = self.references.sentences(numbers, there)
            spread, weights = spread_over(sentences, shares, drawn, words.shape[1], teaching)
            return {"words": spread, "words_weight": weights}
        even = teaching.alpha
        own = 1 - even
        if teaching.smoothing == "label_others":  # alpha / (V - 1) to every other word, written as a share for all
            own, even = own - even / (teaching.num_words - 1), even * teaching.num_words / (teaching.num_words - 1)
        return {"words": words, "words_weight": own * real, "words_even": even * real[..., 0]}


def spread_over(
    sentences: Tensor, shares: Tensor, drawn: Tensor, length: int, teaching: Teaching
) -> tuple[Tensor, Tensor]:
    """Sentences (B, K, T'), p (B, K), drawn (B,) -> words (B, T, 1 + K), the drawn first, and their masses.

    A word of mass 0 is `IGNORE`. Places after the drawn sentence's end have no mass, and `IGNORE` first.
    """
    cut = torch.nn.functional.pad(sentences, (0, max(0, length - sentences.shape[2])), value=IGNORE)[..., :length]
    own = cut[torch.arange(len(cut)), drawn]  # (B, T)
    alive, real = cut >= 0, (own >= 0)[:, None]
    mass = shares[..., None].expand_as(cut) * (alive if teaching.after_end != "pad_token" else 1.0)
    if teaching.after_end == "renormalise":
        mass = mass / mass.sum(1, keepdim=True).clamp(min=1e-12)
    elif teaching.after_end == "pad_token":
        cut = torch.where(alive, cut, teaching.pad)
    mass = teaching.alpha * mass * real
    words = torch.cat([own[:, None], torch.where(mass > 0, cut, IGNORE)], 1)
    weights = torch.cat([(1 - teaching.alpha) * real.float(), mass], 1)
    return words.transpose(1, 2), weights.transpose(1, 2)


def _starts(sizes: Sequence[int]) -> Tensor:
    """Sizes (n) -> (n + 1,) where each begins."""
    return torch.cat([torch.zeros(1, dtype=torch.int64), torch.tensor(sizes, dtype=torch.int64).cumsum(0)])
