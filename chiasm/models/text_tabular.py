"""Multimodal-Toolkit: incorporating tabular data with transformers (Gu & Budhkar, MAI-Workshop 2021).

    text columns --join--> text encoder -> pooled, dropout -> x \\
    categories  --------> indicators ----------------------> c --- combine -> m -> MLP -> scores
    numbers     --------> fill, transform ------------------> n /

Combining comes after the text encoder (section 3.1), by one of the methods of Table 1 (`fusion/tabular`); everything
is trained end to end. Where no text encoder of `transformers` is named, it is BERT's architecture from our layers.

# Differs: the paper does not describe the head; as in the released training configurations it is a perceptron of
shrinking layers, and `mlp_head = false` gives the single linear layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from chiasm.batch import Batch, Output, Table
from chiasm.encoders.pooled_text import BertText, TransformersText
from chiasm.encoders.table import CategoryIndicators
from chiasm.fusion.tabular import Combiner, Sizes, combiner
from chiasm.layers.dropout import Dropout
from chiasm.models import CrossModalModel, Evidence
from chiasm.objectives import Objective


@dataclass(frozen=True)
class Config:
    """BERT-base and the released settings of the combining module by default."""

    vocab_size: int = 30522  # word pieces
    num_labels: int = 2  # classes; 1 for a number
    num_numbers: int = 0  # numeric columns
    category_sizes: tuple[int, ...] = ()  # classes of each category column
    combine: str = "gating"  # a file of fusion/tabular
    use_text: bool = True  # False: the table-only baseline
    binary_categories: bool = True  # one entry for a column of two classes; False: two (one-hot)
    pretrained: str = ""  # a name or folder of transformers: the text encoder to start from
    transformers: Mapping[str, Any] = field(default_factory=dict)  # or its configuration, with model_type
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072  # inner size of the feed-forward networks
    max_position_embeddings: int = 512
    hidden_dropout: float = 0.1
    attention_dropout: float = 0.1
    pooled_dropout: float = 0.1  # of x
    initializer_range: float = 0.02
    mlp_head: bool = True  # False: one linear layer
    mlp_division: int = 4  # each hidden layer of a perceptron is this many times smaller than the one before
    mlp_dropout: float = 0.1
    categorical_bn: bool = True  # batch normalisation in perceptrons over categories
    numerical_bn: bool = True  # and over numbers
    gating_beta: float = 0.2

    def sizes(self, text: int, categories: int) -> Sizes:
        """What the combining method is built from."""
        return Sizes(
            text,
            categories,
            self.num_numbers,
            division=self.mlp_division,
            dropout=self.mlp_dropout,
            categories_batch_norm=self.categorical_bn,
            numbers_batch_norm=self.numerical_bn,
            beta=self.gating_beta,
        )


class TextTabular(CrossModalModel):
    """A text encoder, a combining method, a head."""

    streams: ClassVar[frozenset[str]] = frozenset({"text", "table"})
    config: Config

    def __init__(self, config: Config, objectives: Mapping[str, Objective]) -> None:
        super().__init__(config, objectives)
        self.text = _text_encoder(config) if config.use_text else None
        if isinstance(self.text, TransformersText):
            # A bundle is whole: it names the architecture, not the place from which the first weights came.
            self.config = replace(config, pretrained="", transformers=self.text.configuration)
        self.dropout = Dropout(config.pooled_dropout)
        self.categories = CategoryIndicators(config.category_sizes, binary=config.binary_categories)
        text_size = self.text.output_size if self.text is not None else 0
        sizes = config.sizes(text_size, self.categories.output_size)
        if self.text is None and config.combine != "concat":
            raise ValueError(f"options.use_text = false needs options.combine = 'concat', got {config.combine!r}")
        self.combine: Combiner = combiner(config.combine).Combine(sizes)
        if not self.combine.output_size:
            raise ValueError("there is neither text nor a table to learn from: add [text] or [table] to the recipe")
        self.head: nn.Module = nn.Linear(self.combine.output_size, config.num_labels)
        if config.mlp_head:
            self.head = sizes.mlp(self.combine.output_size, config.num_labels, batch_norm=True)

    def forward(self, batch: Batch) -> Output:
        """Text (B, T), Table (B, C), (B, C') -> scores "answer" (B, A), states "text" (B, D), "combined" (B, M)."""
        table = self._table(batch)
        x = self._pooled(batch, len(table.numbers))
        combined = self.combine(x, self.categories(table.categories), table.numbers)
        return Output({"answer": self.head(combined)}, {"text": x, "combined": combined})

    def evidence(self) -> tuple[Evidence, ...]:
        """Attention inside our own text encoder; gates and weights of the combining method."""
        name = {module: name for name, module in self.named_modules()}
        found = []
        if isinstance(self.text, BertText):
            taps = tuple(name[layer.self_attention.attention.tap] for layer in self.text.layers)
            found.append(Evidence("attention", "text", "text", taps, "text encoder"))
        for tap, title in self.combine.gates().items():
            found.append(Evidence("gate", "text", "table", (f"combine.{tap}",), title))
        return tuple(found)

    def get_input_embeddings(self) -> nn.Module:
        """The table of word pieces. Raises ValueError when the model reads no text."""
        if self.text is None:
            raise ValueError("this model reads no text (options.use_text = false)")
        return self.text.word_table()

    def _pooled(self, batch: Batch, rows: int) -> Tensor:
        """(B, D) the text vector x; without a text encoder it has size 0."""
        if self.text is None:
            return torch.zeros(rows, 0, device=self.categories.column.device)
        if batch.text is None:
            raise ValueError("the batch holds no text: add [text] to the recipe, or set options.use_text = false")
        pooled = self.text(batch.text)
        return self.dropout(pooled if batch.text.index is None else pooled[batch.text.index[:, 0]])

    def _table(self, batch: Batch) -> Table:
        """The table's rows, one an example; a batch without them has columns of none."""
        config, table = self.config, batch.table
        if table is None:
            device = self.categories.column.device
            none = torch.zeros(len(batch), 0, device=device)
            table = Table(none, none.bool(), none.long())
        elif table.index is not None:
            rows = table.index[:, 0]
            table = replace(table, index=None).map(lambda tensor: tensor[rows])
        given = table.numbers.shape[1], table.categories.shape[1]
        wanted = config.num_numbers, len(config.category_sizes)
        if given != wanted:
            raise ValueError(
                f"a table of {given[0]} numbers and {given[1]} categories for a model of {wanted[0]} and {wanted[1]}"
            )
        return table


Model = TextTabular


def _text_encoder(config: Config) -> BertText | TransformersText:
    if config.pretrained or config.transformers:
        return TransformersText(config.transformers, weights=config.pretrained, vocab_size=config.vocab_size)
    return BertText(
        config.vocab_size,
        config.hidden_size,
        config.num_hidden_layers,
        config.num_attention_heads,
        config.intermediate_size,
        max_positions=config.max_position_embeddings,
        dropout=config.hidden_dropout,
        attention_dropout=config.attention_dropout,
        initializer_range=config.initializer_range,
    )
