"""An explanation from raw inputs: complete, honest about padding, and plain in JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch

from chiasm.explain.explanation import Explanation, Word, explain_example, join_pieces, shares, spelt_as
from chiasm.registry import UnknownName
from tests.serve.small import QUESTIONS, examples, small_bundle


@pytest.fixture(scope="module")
def explanation() -> Explanation:
    rows = examples(4)
    return explain_example(small_bundle(rows), rows[2], random_orders=3)


def test_it_holds_tokens_boxes_maps_and_methods(explanation: Explanation) -> None:
    tokens, regions = len(explanation.tokens), len(explanation.views[0].boxes)
    assert explanation.tokens[0] == "[CLS]"
    assert explanation.tokens[-1] == "[SEP]"
    cross = {m.evidence.title: m.layers[0].shape for m in explanation.maps}
    assert cross["words look at regions"][2:] == (tokens, regions)
    assert [one.method for one in explanation.attributions] == [
        "attention_gradient",
        "integrated_gradients",
        "gradient_input",
        "rollout",
    ]
    assert explanation.main is explanation.attributions[0]


def test_there_is_a_relevance_for_every_word_and_region(explanation: Explanation) -> None:
    for one in explanation.attributions:
        assert len(explanation.word_relevance(one)) == len(explanation.words())
        assert len(explanation.region_relevance(one)) == len(explanation.views[0].boxes)


def test_a_words_relevance_is_the_sum_over_its_pieces(explanation: Explanation) -> None:
    one = explanation.attributions[2]
    split = [i for i, word in enumerate(explanation.words()) if len(word.positions) > 1]
    assert split, "the long word should be in pieces"
    positions = explanation.words()[split[0]].positions
    expected = sum(float(one.relevance["text"][0, p]) for p in positions)
    assert explanation.word_relevance(one)[split[0]] == pytest.approx(expected)


def test_words_are_spelt_as_in_the_question(explanation: Explanation) -> None:
    said = "".join((" " if word.space else "") + word.text for word in explanation.words())
    assert said.strip() == QUESTIONS[2]


def test_the_same_seed_explains_alike() -> None:
    rows = examples(2)
    bundle = small_bundle(rows)
    first, second = (explain_example(bundle, rows[0], random_orders=2).to_json() for _ in range(2))
    assert first == second


def test_json_holds_answer_relevance_and_scores_beside_random(explanation: Explanation) -> None:
    read = json.loads(json.dumps(explanation.to_json()))
    method = read["attributions"][0]
    assert [word["word"] for word in method["words"]] == [word.text for word in explanation.words()]
    assert len(method["regions"][0]) == len(read["boxes"][0])
    assert {"area", "random"} <= set(method["faithfulness"][0])
    assert read["attention"][0]["layers"] == 1


def test_pairs_have_a_view_for_each_image_even_with_different_numbers_of_regions() -> None:
    rows = examples(2, images=2)
    bundle = small_bundle(rows, images=2)
    boxes = ([[0, 0, 30, 30]], [[0, 0, 30, 30], [30, 10, 60, 40], [5, 5, 20, 20]])
    row = type(rows[0])("p", {**rows[0].values, "boxes": boxes})
    explanation = explain_example(bundle, row, random_orders=2)
    assert [len(view.boxes) for view in explanation.views] == [1, 3]
    one = explanation.attributions[0]
    assert [len(explanation.region_relevance(one, view)) for view in range(2)] == [1, 3]
    score = one.faithfulness["regions"]
    assert len(score.hidden) == 5, "four real regions over both images, hidden one by one"


def test_the_same_image_twice_is_two_views() -> None:
    rows = examples(1, images=2)
    image = rows[0].values["images"][0]
    row = type(rows[0])("p", {**rows[0].values, "images": (image, image)})
    explanation = explain_example(small_bundle(rows, images=2), row, random_orders=2)
    relevance = explanation.attributions[0].relevance["regions"]
    assert relevance.shape[0] == len(explanation.views) == 2


def test_an_unknown_method_is_named_with_the_nearest() -> None:
    rows = examples(1)
    with pytest.raises(UnknownName, match="gradient_input"):
        explain_example(small_bundle(rows), rows[0], methods=["gradient_inputs"])


@pytest.mark.parametrize("around", [torch.no_grad, torch.inference_mode])
def test_it_does_not_matter_whether_the_caller_turned_gradients_off(around: Callable[[], Any]) -> None:
    rows = examples(1)
    bundle = small_bundle(rows)
    inside = explain_example(bundle, rows[0], random_orders=2)
    with around():
        assert explain_example(bundle, rows[0], random_orders=2).to_json() == inside.to_json()


def test_pieces_are_joined_and_special_tokens_left_out() -> None:
    words = join_pieces(["[CLS]", "un", "##believ", "##able", "?", "[SEP]", "[PAD]"])
    assert words == (Word("unbelievable", (1, 2, 3)), Word("?", (4,)))


def test_spelling_falls_back_to_the_pieces_when_the_text_is_different() -> None:
    words = join_pieces(["[CLS]", "cafe", "[UNK]", "[SEP]"])
    assert spelt_as(words, "café 猫") == words


def test_a_truncated_text_keeps_the_spelling_of_what_was_read() -> None:
    words = spelt_as(join_pieces(["[CLS]", "is", "it", "[SEP]"]), "Is It red?")
    assert [word.text for word in words] == ["Is", "It"]


def test_shares_keep_signs_and_survive_zeros() -> None:
    assert shares([2.0, -4.0, 0.0]) == [0.5, -1.0, 0.0]
    assert shares([0.0, 0.0]) == [0.0, 0.0]
    assert shares([]) == []
