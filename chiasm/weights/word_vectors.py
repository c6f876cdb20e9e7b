"""Published word vectors (GloVe, word2vec, fastText as text) for a model's word table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from chiasm.weights.lxmert import WeightsError


def read_word_vectors(file: Path, words: Mapping[str, int], size: int) -> dict[int, Tensor]:
    """Row -> vector (D) of each of `words` (word -> row) that the file has.

    A line is a word and `size` numbers with spaces between; a first line with two numbers (word2vec's) is passed over.
    Only the wanted lines are taken apart. Raises `WeightsError` for a file of another size, or with none of the words.
    """
    found: dict[int, Tensor] = {}
    with file.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            word, _, rest = line.rstrip().partition(" ")
            if word not in words or (number == 1 and len(rest.split()) == 1):
                continue
            try:
                vector = np.array(rest.split(" "), dtype=np.float32)
            except ValueError as error:
                raise WeightsError(f"{file}, line {number} is no word vector: {error}") from error
            if len(vector) != size:
                raise WeightsError(f"{file}: vectors of {len(vector)} numbers for a word table of {size}")
            found[words[word]] = torch.from_numpy(vector)
    if not found:
        raise WeightsError(f"{file} has a vector for none of the {len(words)} words")
    return found


def put_word_vectors(table: nn.Embedding, words: Mapping[str, int], file: Path) -> int:
    """Put the file's vectors into the rows of their words; how many. The other rows stay. Raises `WeightsError`."""
    found = read_word_vectors(file, words, table.embedding_dim)
    with torch.no_grad():
        for row, vector in found.items():
            table.weight[row] = vector
    return len(found)
