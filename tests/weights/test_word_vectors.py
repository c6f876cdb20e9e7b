"""Word vectors from a text file into a model's word table."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from chiasm.training.bundle import build_model
from chiasm.training.data import BadRowPolicy, prepare, read_splits
from chiasm.training.errors import TrainingError
from chiasm.training.initial import start_from
from chiasm.training.recipe import load_recipe
from chiasm.weights.lxmert import WeightsError
from chiasm.weights.word_vectors import put_word_vectors

WORDS = {"[PAD]": 0, "cube": 1, "red": 2, "##s": 3}


def written(folder: Path, text: str, name: str = "vectors.txt") -> Path:
    file = folder / name
    file.write_text(text)
    return file


def test_known_words_get_their_vectors_and_others_stay(tmp_path: Path) -> None:
    table = nn.Embedding(4, 2)
    before = table.weight.detach().clone()
    file = written(tmp_path, "the 9 9\nred 0.5 -1\ncube 3 4e-1\n. . 1 2\n")
    assert put_word_vectors(table, WORDS, file) == 2
    torch.testing.assert_close(table.weight[1:3].detach(), torch.tensor([[3.0, 0.4], [0.5, -1.0]]))
    assert torch.equal(table.weight[[0, 3]], before[[0, 3]])


def test_the_header_of_word2vec_is_passed_over(tmp_path: Path) -> None:
    words = {"2": 0, "red": 1}
    assert put_word_vectors(nn.Embedding(2, 2), words, written(tmp_path, "2 2\nred 1 2\n")) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("red 1 2 3\n", "vectors of 3 numbers for a word table of 2"),
        ("red 1 two\n", "line 1 is no word vector"),
        ("blue 1 2\n", "for none of the 4 words"),
    ],
)
def test_a_file_that_does_not_fit_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        put_word_vectors(nn.Embedding(4, 2), WORDS, written(tmp_path, text))


def test_training_may_begin_with_word_vectors(tmp_path: Path) -> None:
    recipe, policy = load_recipe("graphvqa").tiny(), BadRowPolicy()
    prepared = prepare(recipe, read_splits(recipe, None, policy, show=False), policy)
    model = build_model(recipe, prepared.facts, prepared.task)
    numbers = " ".join("0.25" for _ in range(16))
    said = start_from(model, prepared.task, prepared.preprocessors, written(tmp_path, f"what {numbers}\n"))
    text = prepared.preprocessors["text"]
    row = text.tokenizer.get_vocab()["what"]  # type: ignore[attr-defined]
    assert said.startswith("the vectors of 1 of")
    assert (model.get_input_embeddings().weight[row] == 0.25).all()  # type: ignore[operator]
    with pytest.raises(TrainingError, match="vectors of 2 numbers for a word table of 16"):
        start_from(model, prepared.task, prepared.preprocessors, written(tmp_path, "what 1 2\n"))
