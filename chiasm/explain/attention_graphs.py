"""Attention read as graphs: words that point at their neighbours, objects that are related, words tied to objects.

The numbers behind figures 3, 4 and 5 of LXMERT's appendix E; `chiasm.explain.attention_figures` draws them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from chiasm.explain.explanation import SPECIAL
from chiasm.explain.word_kinds import Kind, word_kinds


@dataclass(frozen=True)
class TokenGraph:
    """Attention of a text's tokens to each other, in every layer and head of one encoder."""

    name: str  # of the encoder: "LXMERT", "BERT"
    tokens: tuple[str, ...]
    layers: tuple[Tensor, ...]  # each (H, T, T)

    def neighbour_scores(self, offset: int) -> Tensor:
        """(L, H): the mean attention of a word to the one `offset` positions further; [CLS] and [SEP] left out."""
        words = torch.tensor([token not in SPECIAL for token in self.tokens])
        there = torch.arange(len(words)) + offset
        inside = (there >= 0) & (there < len(words))
        queries = (words & inside & words[there.clamp(0, len(words) - 1)]).nonzero()[:, 0]
        if not len(queries):
            return torch.zeros(len(self.layers), self.layers[0].shape[0])
        return torch.stack([layer[:, queries, queries + offset].mean(1) for layer in self.layers])

    def strongest(self, offset: int) -> int:
        """The layer (from 0) whose heads together point most to the word `offset` positions further."""
        return int(self.neighbour_scores(offset).mean(1).argmax())

    def matrix(self, layer: int, head: int | None = None) -> Tensor:
        """(T, T): one head of a layer, or the mean of its heads."""
        return self.layers[layer].mean(0) if head is None else self.layers[layer][head]


@dataclass(frozen=True)
class ObjectGraph:
    """Objects that others look at, and which of them look at each other."""

    attention: Tensor  # (R, R) of one layer, the mean of its heads
    received: Tensor  # (R,) the mean attention that each object gets
    kept: tuple[int, ...]  # the objects that get most, in that order
    edges: tuple[tuple[int, int, float], ...]  # (object, object, attention), the strongest first

    def to_json(self) -> dict[str, Any]:
        return {"received": self.received.tolist(), "kept": list(self.kept), "edges": [list(e) for e in self.edges]}


def object_graph(layer: Tensor, *, keep: int = 8, edges_each: int = 1) -> ObjectGraph:
    """(H, R, R) -> the graph of the `keep` objects that receive most attention.

    An edge joins a kept object with each of the `edges_each` other kept objects that it looks at most, if it looks
    there more than evenly (above 1 / R). # Differs: the paper drew its edges by hand "according to the attention".
    """
    attention = layer.mean(0)
    received = attention.mean(0)
    count = attention.shape[0]
    kept = received.argsort(descending=True, stable=True)[:keep].tolist()
    found: dict[tuple[int, int], float] = {}
    for one in kept:
        others = sorted((k for k in kept if k != one), key=lambda k: -float(attention[one, k]))
        for other in others[:edges_each]:
            weight, pair = float(attention[one, other]), (min(one, other), max(one, other))
            if weight > 1 / count:
                found[pair] = max(weight, found.get(pair, 0.0))
    edges = sorted(((a, b, weight) for (a, b), weight in found.items()), key=lambda edge: -edge[2])
    return ObjectGraph(attention, received, tuple(kept), tuple(edges))


@dataclass(frozen=True)
class CrossGraph:
    """Attention between a text's tokens and the objects of one image, both ways, the mean over layers and heads."""

    tokens: tuple[str, ...]
    to_objects: Tensor  # (T, R): words look at objects
    to_words: Tensor  # (R, T): objects look at words

    def kinds(self) -> list[Kind]:
        """What each token is; a piece of a word is what the whole word is, [CLS] and [SEP] are "other"."""
        words: list[str] = []
        place: list[int | None] = []
        for token in self.tokens:
            if token in SPECIAL:
                place.append(None)
                continue
            if token.startswith("##") and words:
                words[-1] += token[2:]
            else:
                words.append(token)
            place.append(len(words) - 1)
        kinds = word_kinds(words)
        return ["other" if p is None else kinds[p] for p in place]

    def received(self) -> Tensor:
        """(T,): the mean attention that each token gets from the objects."""
        return self.to_words.mean(0)

    def share_of_kinds(self) -> dict[Kind, float]:
        """How much of the objects' attention goes to each kind of word, per word of the kind; [CLS], [SEP] left out."""
        found: dict[Kind, list[float]] = {}
        for token, kind, value in zip(self.tokens, self.kinds(), self.received().tolist(), strict=True):
            if token not in SPECIAL:
                found.setdefault(kind, []).append(value)
        return {kind: sum(values) / len(values) for kind, values in found.items()}


def bert_graph(source: str | Path, text: str) -> TokenGraph:
    """The attention of a BERT, in a folder or on the Hub, in every layer and head. Raises ValueError."""
    from transformers import AutoModel, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(str(source))
        model = AutoModel.from_pretrained(str(source), attn_implementation="eager").eval()
    except (OSError, ValueError) as error:
        raise ValueError(f"no BERT can be loaded from {str(source)!r}: {error}") from error
    pieces = tokenizer(text, return_tensors="pt")
    with torch.no_grad():
        attentions: Sequence[Tensor] = model(**pieces, output_attentions=True).attentions
    tokens = tokenizer.convert_ids_to_tokens(pieces["input_ids"][0])
    return TokenGraph("BERT", tuple(tokens), tuple(layer[0] for layer in attentions))
