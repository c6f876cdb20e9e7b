"""Bottom-up and top-down attention for questions (Anderson et al., CVPR 2018), the baseline of LXMERT's Table 3.

    words   -> LSTM, or BERT's layers -> question q --------------\\
                                           |                        product -> answer head
    regions v_i -> softmax_i(w f([v_i, q])) -> sum_i a_i v_i -----/

f is a gated tanh layer, tanh(W x + b) * sigmoid(W' x + b'). Several images of an example are read one by one with the
same question, and their products are concatenated before the head, as LXMERT does for NLVR2.

# Differs: Anderson et al. use a GRU; LXMERT's table calls its question encoder an LSTM, and BERT replaces it in
another row (`language_layers` > 0; how many layers is not printed, 12 is BERT-base).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from chiasm.batch import Batch, Output, Text
from chiasm.encoders.text import TextEmbedding
from chiasm.heads.classify import Pooler
from chiasm.layers.dropout import Dropout
from chiasm.layers.initialise import initialise
from chiasm.layers.linear import Linear
from chiasm.layers.masking import masked_softmax
from chiasm.layers.recording import Tap
from chiasm.layers.recurrent import run_recurrent
from chiasm.layers.stack import Stack
from chiasm.layers.transformer import TransformerLayer
from chiasm.models import CrossModalModel, Evidence
from chiasm.objectives import Objective


@dataclass(frozen=True)
class Config:
    """Sizes of Anderson et al.; those of BERT-base where BERT reads the question."""

    vocab_size: int = 30522  # word pieces
    feature_size: int = 2048  # of a region's feature vector
    num_labels: int = 2  # answers
    num_images: int = 1  # images per example
    word_size: int = 300  # of a word's vector before the LSTM
    hidden_size: int = 512  # of the LSTM, the attention and the product
    dropout: float = 0.5  # of the product
    language_layers: int = 0  # BERT's layers in the LSTM's place; 0: the LSTM
    num_attention_heads: int = 12  # of BERT's layers, as the two below
    bert_size: int = 768
    intermediate_size: int = 3072


class RecurrentQuestion(nn.Module):
    """Word vectors -> the last state of an LSTM."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.words = nn.Embedding(config.vocab_size, config.word_size)
        self.lstm = nn.LSTM(config.word_size, config.hidden_size, batch_first=True)
        self.size = config.hidden_size

    def forward(self, text: Text) -> Tensor:
        """Text (I, T) -> (I, D)."""
        states = run_recurrent(self.lstm, self.words(text.input_ids), text.attention_mask)
        last = text.attention_mask.sum(1).clamp(min=1) - 1
        return states[torch.arange(len(states), device=states.device), last]


class BertQuestion(nn.Module):
    """BERT's embeddings and layers -> its pooled [CLS]."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        size, dropout = config.bert_size, 0.1
        self.text_embedding = TextEmbedding(config.vocab_size, size, dropout=dropout)
        self.language_layers: Stack[TransformerLayer] = Stack(
            TransformerLayer(
                size, config.num_attention_heads, config.intermediate_size, dropout=dropout, attention_dropout=dropout
            )
            for _ in range(config.language_layers)
        )
        self.pooler = Pooler(size)
        self.size = size
        initialise(self)

    def forward(self, text: Text) -> Tensor:
        """Text (I, T) -> (I, D)."""
        x = self.text_embedding(text)
        for layer in self.language_layers:
            x = layer(x, text.attention_mask)
        pooled: Tensor = self.pooler(x)
        return pooled


class GatedTanh(nn.Module):
    """tanh(W x + b) * sigmoid(W' x + b')."""

    def __init__(self, input_size: int, output_size: int) -> None:
        super().__init__()
        self.value, self.gate = Linear(input_size, output_size), Linear(input_size, output_size)

    def forward(self, x: Tensor) -> Tensor:
        """(..., F) -> (..., D)."""
        return torch.tanh(self.value(x)) * torch.sigmoid(self.gate(x))


class Butd(CrossModalModel):
    """One look at the regions, directed by the question."""

    streams: ClassVar[frozenset[str]] = frozenset({"text", "regions"})
    config: Config

    def __init__(self, config: Config, objectives: Mapping[str, Objective]) -> None:
        super().__init__(config, objectives)
        size = config.hidden_size
        self.encoder = BertQuestion(config) if config.language_layers else RecurrentQuestion(config)
        self.attention = GatedTanh(config.feature_size + self.encoder.size, size)
        self.score = Linear(size, 1)
        self.question = GatedTanh(self.encoder.size, size)
        self.image = GatedTanh(config.feature_size, size)
        self.dropout = Dropout(config.dropout)
        self.answer = GatedTanh(size * config.num_images, size)
        self.answer_scores = Linear(size, config.num_labels)
        self.tap = Tap()

    def forward(self, batch: Batch) -> Output:
        """Text (B, T), Regions (I, R) -> scores "answer" (B, A), state "pooled" (B, S*D)."""
        text, regions = batch.text, batch.regions
        if text is None or regions is None:
            raise ValueError("BUTD needs a text and a regions stream; add [text] and [regions] to the recipe")
        images = 1 if regions.index is None else regions.index.shape[1]
        if images != self.config.num_images:
            raise ValueError(f"this model reads {self.config.num_images} image(s) per example, the batch has {images}")
        question = _rows(self.encoder(text), text.index).repeat_interleave(images, 0)  # (B*S, D)
        features, mask = _rows(regions.features, regions.index), regions.attention_mask
        real = None if mask is None else _rows(mask, regions.index)
        seen = self._look(question, features, real, words=text.input_ids.shape[1])
        product = self.dropout(self.question(question) * self.image(seen))
        pooled = product.unflatten(0, (-1, images)).flatten(1)
        return Output({"answer": self.answer_scores(self.answer(pooled))}, {"pooled": pooled})

    def _look(self, question: Tensor, features: Tensor, mask: Tensor | None, *, words: int) -> Tensor:
        """(B*S, D), (B*S, R, F), (B*S, R) -> (B*S, F): the mean of the regions, weighted by the question."""
        both = torch.cat([features, question[:, None].expand(-1, features.shape[1], -1)], -1)
        scores = self.score(self.attention(both)).squeeze(-1)  # (B*S, R)
        weights = scores.softmax(-1) if mask is None else masked_softmax(scores, mask)
        self.tap(weights[:, None, None].expand(-1, 1, words, -1))  # the question looks as one: every word alike
        return (weights[..., None] * features).sum(1)

    def get_input_embeddings(self) -> nn.Module:
        """The table of words, where gradients of the text are taken."""
        return self.encoder.words if isinstance(self.encoder, RecurrentQuestion) else self.encoder.text_embedding.words

    def evidence(self) -> tuple[Evidence, ...]:
        """Where the question looks: one distribution over the regions, shown for each of its words."""
        return (Evidence("attention", "text", "regions", ("tap",), "the question looks at regions"),)


Model = Butd


def _rows(rows: Tensor, index: Tensor | None) -> Tensor:
    """(I, ...), (B, S) -> (B*S, ...): each example's rows, in order; unchanged without an index."""
    return rows if index is None else rows[index.flatten()]
