"""Options of a question: each read together with the question, and rationales with the question and an answer.

    answer k:     [CLS] question [SEP] choice k [SEP]
    rationale k:  [CLS] question [SEP] answer [SEP] rationale k [SEP]

Segment 0 is everything up to the last text, segment 1 the last text (Lu et al. 2019, and BERT's two sentences).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from chiasm.batch import Text
from chiasm.data.columns import Column, Preprocessor, padded
from chiasm.data.example import DataError, Example, RowError, raise_rows
from chiasm.data.text import (
    PADDINGS,
    SEPARATOR,
    SEPARATORS,
    TRAIN,
    bad_text,
    piece_tokenizer,
    special_token,
)

Rationales = Literal["none", "given", "only"]
Pair = tuple[str, str]


class ChoicesColumn(Column):
    """Word pieces of all options: `per_example` texts for each example, one after the other."""

    def __init__(self, ids: Tensor, types: Tensor, offsets: Tensor, *, per_example: int, pad_id: int) -> None:
        self.ids, self.types = ids, types  # (all pieces,) int32, int8
        self.offsets = offsets  # (examples * per_example + 1,) int64
        self.per_example, self.pad_id = per_example, pad_id

    def __len__(self) -> int:
        return (self.offsets.shape[0] - 1) // self.per_example

    def lengths(self) -> Tensor:
        return self.offsets.diff().view(-1, self.per_example).amax(1)

    def gather(self, examples: Tensor) -> Text:
        """(B,) -> Text of (B * K, T) with index (B, K)."""
        rows = (examples[:, None] * self.per_example + torch.arange(self.per_example)).flatten()
        places, mask = padded(self.offsets, rows)  # (B * K, T)
        ids = torch.where(mask, self.ids[places].long(), self.pad_id)
        types = torch.where(mask, self.types[places].long(), 0)
        return Text(ids, mask, types, index=torch.arange(len(rows)).view(len(examples), -1))


class Preprocess(Preprocessor):
    """The question and its options -> word pieces of each pair, cut to `max_length` from the longer text's end.

    An example holds `text` (the question), `choices` (the options) and, unless `rationales` is "none", `rationales`
    (as many); `answer` is the number of the right choice. Rationales are read with the right answer; where some
    example has none (a test set, a new question) with each of the answers in turn. "only": just the rationales.
    `vocabulary` as in `[text]`.
    """

    stream: ClassVar[str] = "choices"
    role: ClassVar[str] = "choices"

    def __init__(
        self,
        *,
        vocabulary: str = TRAIN,
        vocabulary_size: int = 8192,  # at most; only for a trained vocabulary
        lowercase: bool = True,
        max_length: int = 80,  # pieces of a pair, special ones included
        rationales: Rationales = "none",
        num_choices: int = 4,
    ) -> None:
        if max_length < 5:
            raise ValueError(f"max_length is {max_length}: at least 5 are needed for a pair of texts")
        if num_choices < 2:
            raise ValueError(f"num_choices is {num_choices}: at least 2 are needed to choose")
        self.options: dict[str, Any] = {
            "vocabulary": str(vocabulary),
            "vocabulary_size": vocabulary_size,
            "lowercase": lowercase,
            "max_length": max_length,
            "rationales": rationales,
            "num_choices": num_choices,
        }
        self._tokenizer: Tokenizer | None = None

    @property
    def tokenizer(self) -> Tokenizer:
        """The `tokenizers` object: after `fit` or `load`."""
        if self._tokenizer is None:
            raise ValueError("the choices have no vocabulary yet: call fit(training examples) first")
        return self._tokenizer

    @property
    def facts(self) -> dict[str, int]:
        return {"vocab_size": self.tokenizer.get_vocab_size(), "num_choices": self.options["num_choices"]}

    def fit(self, examples: Sequence[Example]) -> Self:
        def lines() -> Iterator[str]:
            return (text for pairs in self._pairs(examples) for pair in pairs for text in pair)

        self._tokenizer = piece_tokenizer(self.options, lines)
        return self

    def encode(self, examples: Sequence[Example]) -> ChoicesColumn:
        separator = special_token(self.tokenizer, SEPARATORS)
        pairs = list(self._pairs(examples))
        lines = [(a.replace(SEPARATOR, separator), b) for row in pairs for a, b in row]
        encoded = self.tokenizer.encode_batch_fast(lines)
        lengths = np.fromiter((len(e.ids) for e in encoded), np.int64, len(encoded))
        total = int(lengths.sum())
        ids = np.fromiter((i for e in encoded for i in e.ids), np.int32, total)
        types = np.fromiter((i for e in encoded for i in e.type_ids), np.int8, total)
        return ChoicesColumn(
            torch.from_numpy(ids),
            torch.from_numpy(types),
            torch.from_numpy(np.concatenate([[0], lengths.cumsum()])),
            per_example=len(pairs[0]) if pairs else self.options["num_choices"],
            pad_id=self.tokenizer.get_vocab()[special_token(self.tokenizer, PADDINGS)],
        )

    def _pairs(self, examples: Sequence[Example]) -> Iterator[list[Pair]]:
        """The pairs of texts of each example. Raises naming every row that lacks a question or an option."""
        which, size = self.options["rationales"], self.options["num_choices"]
        bad, rows = [], []
        for example in examples:
            try:
                rows.append(_checked(example, size, with_rationales=which != "none"))
            except DataError as error:
                bad.append(RowError(str(error), origin=example.origin, row_id=example.id))
        raise_rows(bad)
        labels = [right_choice(example, size) for example in examples]
        all_labelled = None not in labels
        for (question, choices, rationales), label in zip(rows, labels, strict=True):
            pairs = [] if which == "only" else [(question, choice) for choice in choices]
            if which != "none":
                given = [choices[label]] if all_labelled and label is not None else choices
                pairs += [(f"{question} {SEPARATOR} {answer}", r) for answer in given for r in rationales]
            yield pairs

    def save(self, folder: Path) -> None:
        record = {"stream": self.stream, "options": self.options}
        (folder / "preprocess.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        self.tokenizer.save(str(folder / "tokenizer.json"))

    @classmethod
    def load(cls, folder: Path) -> Self:
        record = json.loads((folder / "preprocess.json").read_text(encoding="utf-8"))
        loaded = cls(**record["options"])
        loaded._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        return loaded


def right_choice(example: Example, num_choices: int, role: str = "answer") -> int | None:
    """The number of the right choice (or rationale), from 0; None when it is not known. Raises `RowError`."""
    value = example.values.get(role)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < num_choices:
        reason = f"the {role} is {value!r}; a whole number from 0 to {num_choices - 1} is expected"
        raise RowError(reason, origin=example.origin, row_id=example.id)
    return value


def _checked(example: Example, size: int, *, with_rationales: bool) -> tuple[str, list[str], list[str]]:
    """Question, choices and rationales. Raises `DataError` saying what is wrong."""
    question = example.values.get("text")
    if reason := bad_text(question):
        raise DataError(f"the question cannot be used: {reason}")
    choices = _texts(example, "choices", size)
    rationales = _texts(example, "rationales", size) if with_rationales else []
    return str(question), choices, rationales


def _texts(example: Example, role: str, size: int) -> list[str]:
    given = example.values.get(role)
    if not isinstance(given, list | tuple) or len(given) != size:
        found = str(len(given)) if isinstance(given, list | tuple) else "no"
        raise DataError(f"the row has {found} {role}; a list of {size} texts is expected")
    for number, text in enumerate(given):
        if reason := bad_text(text):
            raise DataError(f"{role} {number}: {reason}")
    return [str(text) for text in given]
