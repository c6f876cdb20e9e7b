"""Attention read as graphs: neighbours, objects, words and objects."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertModel, BertTokenizerFast

from chiasm.explain.attention_graphs import CrossGraph, TokenGraph, bert_graph, object_graph
from chiasm.explain.word_kinds import word_kinds

TOKENS = ("[CLS]", "is", "it", "warm", "?", "[SEP]")


def shifted(size: int, offset: int) -> torch.Tensor:
    """Every position looks at the one `offset` further, at itself where there is none."""
    matrix = torch.zeros(size, size)
    for i in range(size):
        matrix[i, i + offset if 0 <= i + offset < size else i] = 1.0
    return matrix


def test_a_head_that_looks_at_the_next_word_scores_one_and_at_the_previous_zero() -> None:
    even = torch.full((6, 6), 1 / 6)
    graph = TokenGraph("it", TOKENS, (torch.stack([even, shifted(6, 1)]), torch.stack([shifted(6, -1), even])))
    torch.testing.assert_close(graph.neighbour_scores(1), torch.tensor([[1 / 6, 1.0], [0.0, 1 / 6]]))
    torch.testing.assert_close(graph.neighbour_scores(-1), torch.tensor([[1 / 6, 0.0], [1.0, 1 / 6]]))
    assert (graph.strongest(1), graph.strongest(-1)) == (0, 1)


def test_a_text_of_one_word_has_no_neighbours() -> None:
    graph = TokenGraph("it", ("[CLS]", "dog", "[SEP]"), (torch.full((2, 3, 3), 1 / 3),))
    assert graph.neighbour_scores(1).tolist() == [[0.0, 0.0]]


def test_objects_that_get_most_attention_are_kept_and_joined_where_they_look() -> None:
    layer = torch.full((1, 5, 5), 0.02)
    layer[0, :, 3], layer[0, :, 1] = 0.6, 0.3
    layer[0, 1, 3], layer[0, 3, 1] = 0.7, 0.5
    graph = object_graph(layer, keep=2)
    assert graph.kept == (3, 1)
    assert [(a, b) for a, b, _ in graph.edges] == [(1, 3)]
    assert graph.edges[0][2] == pytest.approx(0.7)


def test_objects_that_look_everywhere_alike_have_no_edges() -> None:
    assert object_graph(torch.full((2, 4, 4), 0.25), keep=4).edges == ()


def test_words_of_the_papers_sentences_are_of_the_right_kind() -> None:
    first = ["is", "it", "warm", "enough", "for", "him", "to", "be", "wearing", "shorts", "?"]
    assert [w for w, k in zip(first, word_kinds(first), strict=True) if k == "pronoun"] == ["it", "him"]
    assert [w for w, k in zip(first, word_kinds(first), strict=True) if k == "noun"] == ["shorts"]
    second = ["what", "colors", "are", "the", "pole", "the", "horse", "is", "jumping", "over", "?"]
    assert [w for w, k in zip(second, word_kinds(second), strict=True) if k == "noun"] == ["colors", "pole", "horse"]
    assert [w for w, k in zip(second, word_kinds(second), strict=True) if k == "article"] == ["the", "the"]


def test_a_colour_after_an_article_may_be_a_thing() -> None:
    assert word_kinds(["the", "orange", "is", "orange"]) == ["article", "noun", "other", "other"]


def test_attention_to_each_kind_of_word_is_counted_per_word() -> None:
    tokens = ("[CLS]", "the", "pole", "hor", "##se", "[SEP]")
    to_words = torch.tensor([[0.1, 0.4, 0.1, 0.1, 0.1, 0.2], [0.1, 0.2, 0.3, 0.1, 0.1, 0.2]])
    graph = CrossGraph(tokens, torch.zeros(6, 2), to_words)
    assert graph.kinds() == ["other", "article", "noun", "noun", "noun", "other"]
    shares = graph.share_of_kinds()
    assert shares["article"] == pytest.approx(0.3)
    assert shares["noun"] == pytest.approx((0.2 + 0.1 + 0.1) / 3)


def test_berts_attention_stands_beside(tmp_path: Path) -> None:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "is", "it", "warm", "?"]
    (tmp_path / "vocab.txt").write_text("\n".join(words) + "\n")
    BertTokenizerFast(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    sizes = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 16, "num_hidden_layers": 3}
    BertModel(BertConfig(vocab_size=9, **sizes)).save_pretrained(tmp_path)
    graph = bert_graph(tmp_path, "Is it warm?")
    assert graph.tokens == TOKENS
    assert [tuple(layer.shape) for layer in graph.layers] == [(2, 6, 6)] * 3
    assert graph.layers[0].sum(-1) == pytest.approx(torch.ones(2, 6), abs=1e-5)


def test_a_bert_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no BERT can be loaded"):
        bert_graph(tmp_path, "hello")
