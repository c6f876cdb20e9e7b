"""The perturbation score: right about a ranking that is known to be good, bad or random."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from chiasm.batch import Batch, Regions, Text
from chiasm.explain.faithfulness import Faithfulness, _counts, faithfulness, faithfulness_of, over_examples
from chiasm.explain.probe import Probe, hide, probe
from chiasm.models.lxmert import Lxmert
from tests.explain.planted import ASKED, ColourTask, sample, small_model

EXAMPLES = 20


@pytest.fixture(scope="module")
def planted(model: Lxmert) -> list[tuple[Probe, int]]:
    batch, region = sample(EXAMPLES, torch.Generator().manual_seed(11))
    return [(probe(model, ColourTask(), batch[i]), int(region[i])) for i in range(EXAMPLES)]


def scores(planted: list[tuple[Probe, int]], sign: float) -> list[Faithfulness]:
    found = []
    for one, region in planted:
        relevance = torch.zeros(1, 4)
        relevance[0, region] = sign
        score = faithfulness(one, "regions", relevance)
        assert score is not None
        found.append(score)
    return found


def test_the_true_reason_scores_far_above_random_orders(planted: list[tuple[Probe, int]]) -> None:
    mean = over_examples(scores(planted, 1.0))
    assert mean["area"].low > 0.4
    assert mean["area"].low > mean["random"].high
    assert abs(mean["random"].value) < 0.12


def test_the_reversed_reason_scores_as_far_below(planted: list[tuple[Probe, int]]) -> None:
    assert over_examples(scores(planted, -1.0))["area"].high < -0.4


def test_the_words_are_tested_like_the_regions(planted: list[tuple[Probe, int]]) -> None:
    relevance = torch.zeros(1, 6)
    relevance[0, ASKED] = 1.0
    found = [faithfulness(one, "text", relevance) for one, _ in planted]
    assert over_examples([f for f in found if f is not None])["area"].low > 0.1


def test_a_curve_is_the_probability_with_those_items_hidden(planted: list[tuple[Probe, int]]) -> None:
    one, _ = planted[0]
    relevance = torch.tensor([[0.1, 0.4, 0.2, 0.3]])  # hidden in the order 1, 3, 2, 0
    score = faithfulness(one, "regions", relevance)
    assert score is not None
    by_hand = []
    for gone in ([], [1], [1, 3], [1, 3, 2], [1, 3, 2, 0]):
        hidden = torch.zeros(1, 4, dtype=torch.bool)
        hidden[0, gone] = True
        with torch.no_grad():
            by_hand.append(float(one.probability(one.model(hide(one.batch, "regions", hidden)))))
    assert score.most_relevant_first == pytest.approx(by_hand, abs=1e-5)
    assert score.hidden.tolist() == [0, 0.25, 0.5, 0.75, 1]


def test_the_area_is_the_trapezoidal_difference_of_the_curves() -> None:
    score = Faithfulness(
        "regions", np.array([0, 0.5, 1]), np.array([1, 0.2, 0]), np.array([1, 0.8, 0]), np.zeros((2, 3)), np.zeros(2)
    )
    assert score.area == pytest.approx(0.3)


def test_both_curves_begin_and_end_together(planted: list[tuple[Probe, int]]) -> None:
    for score in scores(planted[:5], 1.0):
        assert score.most_relevant_first[0] == pytest.approx(score.least_relevant_first[0])
        assert score.most_relevant_first[-1] == pytest.approx(score.least_relevant_first[-1])


def test_the_score_is_the_same_for_the_same_seed(planted: list[tuple[Probe, int]]) -> None:
    one, relevance = planted[0][0], torch.rand(1, 4, generator=torch.Generator().manual_seed(1))
    first, second, other = (faithfulness(one, "regions", relevance, seed=seed) for seed in (0, 0, 1))
    assert first is not None
    assert second is not None
    assert other is not None
    assert first.to_json() == second.to_json()
    assert not np.array_equal(first.random_order, other.random_order)


def test_many_regions_are_hidden_in_at_most_ten_steps() -> None:
    assert _counts(36) == [0, 4, 8, 11, 15, 18, 22, 26, 29, 33, 36]
    assert _counts(3) == [0, 1, 2, 3]


def test_a_single_word_cannot_be_ranked() -> None:
    text = Text(torch.tensor([[1, 6, 2]]), torch.ones(1, 3, dtype=torch.bool))
    batch = Batch(text=text, regions=Regions(torch.rand(1, 4, 12), torch.rand(1, 4, 4)), ids=("x",))
    one = probe(small_model(), ColourTask(), batch)
    assert faithfulness(one, "text", torch.zeros(1, 3)) is None
    assert faithfulness(one, "regions", torch.rand(1, 4)) is not None


def test_padded_regions_are_not_hidden_items() -> None:
    mask = torch.tensor([[True, True, False, False]])
    text = Text(torch.tensor([[1, 6, 2]]), torch.ones(1, 3, dtype=torch.bool))
    batch = Batch(text=text, regions=Regions(torch.rand(1, 4, 12), torch.rand(1, 4, 4), mask), ids=("x",))
    score = faithfulness(probe(small_model(), ColourTask(), batch), "regions", torch.rand(1, 4))
    assert score is not None
    assert len(score.hidden) == 3


def test_hiding_everything_leaves_a_finite_probability(planted: list[tuple[Probe, int]]) -> None:
    for score in scores(planted[:3], 1.0):
        assert np.isfinite(score.most_relevant_first).all()


def test_methods_are_scored_together_as_one_by_one_beside_the_same_random_orders(
    planted: list[tuple[Probe, int]],
) -> None:
    one = planted[0][0]
    relevances = {"a": torch.tensor([[4.0, 3.0, 2.0, 1.0]]), "b": torch.tensor([[1.0, 3.0, 4.0, 2.0]])}
    together = faithfulness_of(one, "regions", relevances)
    for name, relevance in relevances.items():
        alone = faithfulness(one, "regions", relevance)
        assert alone is not None
        assert together[name].area == pytest.approx(alone.area, abs=1e-6)
        assert together[name].random_areas == pytest.approx(alone.random_areas, abs=1e-6)


def test_one_random_order_says_nothing_about_scatter(planted: list[tuple[Probe, int]]) -> None:
    with pytest.raises(ValueError, match="random_orders is 1: at least 2"):
        faithfulness(planted[0][0], "regions", torch.rand(1, 4), random_orders=1)


def test_every_example_draws_random_orders_of_its_own(planted: list[tuple[Probe, int]]) -> None:
    one, relevance = planted[0][0], torch.tensor([[4.0, 3.0, 2.0, 1.0]])
    other = replace(one, batch=replace(one.batch, ids=("another",)))
    first, second = (faithfulness(p, "regions", relevance) for p in (one, other))
    assert first is not None
    assert second is not None
    assert first.area == pytest.approx(second.area)
    assert not np.allclose(first.random_areas, second.random_areas)
