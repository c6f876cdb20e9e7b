"""Attributions: exact where a formula is known, and right about a planted reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
import torch

from chiasm.batch import Batch, Output
from chiasm.explain.attribution import METHODS, attribute
from chiasm.explain.evidence import Step
from chiasm.explain.inputs import scaled_forward
from chiasm.explain.methods import integrated_gradients, method, method_names, rollout
from chiasm.explain.probe import Probe, probe
from chiasm.explain.propagation import at_answer, joins_up, propagate
from chiasm.models import CrossModalModel
from chiasm.models.lxmert import Lxmert
from chiasm.objectives.answers import one_answer
from chiasm.registry import UnknownName
from tests.explain.planted import ASKED, COLOURS, ColourTask, sample, small_model


@pytest.fixture
def asked(model: Lxmert) -> Probe:
    return probe(model, ColourTask(), sample(1, torch.Generator().manual_seed(7))[0])


def test_the_planted_word_and_region_are_found(model: Lxmert) -> None:
    batch, region = sample(30, torch.Generator().manual_seed(5))
    found: Counter[tuple[str, str]] = Counter()
    for i in range(30):
        one = probe(model, ColourTask(), batch[i])
        for name in ("attention_gradient", "rollout", "integrated_gradients"):
            relevance = method(name).attribute(one)
            found[name, "region"] += int(relevance["regions"][0].argmax()) == int(region[i])
            found[name, "word"] += int(relevance["text"][0, 1:-1].argmax()) == ASKED - 1
    assert found["attention_gradient", "region"] >= 27
    assert found["attention_gradient", "word"] >= 27
    assert found["rollout", "region"] >= 27
    assert found["integrated_gradients", "region"] >= 20


def test_integrated_gradients_add_up_to_the_change_of_the_score(asked: Probe) -> None:
    with torch.no_grad():
        full, _ = scaled_forward(asked.model, asked.batch, torch.ones(1))
        nothing, _ = scaled_forward(asked.model, asked.batch, torch.zeros(1))
        change = float(asked.score(full) - asked.score(nothing))
    total = sum(float(r.sum()) for r in integrated_gradients.attribute(asked, steps=256).values())
    assert total == pytest.approx(change, rel=0.02)


def test_the_gradient_predicts_a_small_change_of_a_region(asked: Probe) -> None:
    relevance = method("gradient_input").attribute(asked)["regions"][0]
    regions = asked.batch.regions
    assert regions is not None
    size = 1e-3
    for k in range(4):
        features = regions.features.clone()
        features[0, k] *= 1 + size
        nudged = replace(asked.batch, regions=replace(regions, features=features))
        with torch.no_grad():
            change = asked.score(asked.model.double()(_double(nudged))) - asked.score(asked.model(_double(asked.batch)))
        asked.model.float()
        assert float(change) / size == pytest.approx(float(relevance[k]), rel=0.02, abs=1e-3)


def _double(batch: Batch) -> Batch:
    return batch._map(lambda tensor: tensor.double() if tensor.is_floating_point() else tensor)


def test_rollout_of_one_cross_step_is_half_the_attention() -> None:
    weights = torch.tensor([[[[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]]]])  # (1, 1, Q=2, K=3)
    step = Step("text", "regions", weights)
    held = propagate([step], [weights[:, 0]], lambda own, given: (own + given) / 2)
    found = at_answer(held, [step])
    assert torch.allclose(found["regions"], torch.tensor([[0.35, 0.10, 0.05]]))
    assert torch.allclose(found["text"], torch.tensor([[0.5, 0.0]]))


def test_two_layers_of_rollout_are_the_product_of_their_matrices() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.rand(1, 1, 3, 3, generator=generator).softmax(-1) for _ in range(2))
    steps = [Step("text", "text", first), Step("text", "text", second)]
    held = propagate(steps, [first[:, 0], second[:, 0]], lambda own, given: (own + given) / 2)
    eye = torch.eye(3)
    expected = (eye + second[0, 0]) / 2 @ ((eye + first[0, 0]) / 2)
    assert torch.allclose(held["text"][0], expected)


def test_both_directions_of_a_cross_attention_read_what_was_held_before() -> None:
    swap = torch.ones(1, 1, 1, 1)
    steps = [Step("text", "regions", swap), Step("regions", "text", swap)]
    held = propagate(steps, [swap[:, 0], swap[:, 0]], lambda own, given: given)
    assert held["text"].tolist() == [[[0.0, 1.0]]]
    assert held["regions"].tolist() == [[[1.0, 0.0]]]


def test_rollout_shares_out_exactly_one(asked: Probe) -> None:
    assert sum(float(r.sum()) for r in rollout.attribute(asked).values()) == pytest.approx(1.0, abs=1e-5)


def test_attributions_leave_weights_and_gradients_alone(model: Lxmert, asked: Probe) -> None:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    attribute(asked, random_orders=2)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_a_model_that_never_sees_the_image_gives_regions_no_relevance() -> None:
    blind = probe(small_model(use_images=False), ColourTask(), sample(1, torch.Generator())[0])
    for one in attribute(blind, random_orders=2):
        assert "regions" not in one.relevance


def test_two_images_get_a_row_of_relevance_each() -> None:
    pair, _ = sample(2, torch.Generator().manual_seed(3))
    assert pair.regions is not None
    assert pair.text is not None
    regions = replace(pair.regions, index=torch.tensor([[1, 0]]))
    batch = Batch(text=pair.text.select(torch.tensor([0])), regions=regions, ids=("pair",))
    for one in attribute(probe(small_model(num_images=2), ColourTask(), batch), random_orders=2):
        assert one.relevance["regions"].shape == (2, 4)
        assert one.relevance["text"].shape == (1, 6)


def test_every_method_has_a_file_and_an_unknown_one_is_named_with_the_nearest() -> None:
    assert set(METHODS) <= set(method_names())
    with pytest.raises(UnknownName, match="did you mean 'rollout'"):
        method("rollouts")


def test_attention_that_does_not_join_up_is_not_followed() -> None:
    whole, pooled = torch.rand(1, 2, 5, 5), torch.rand(1, 2, 1, 5)
    assert joins_up([Step("text", "text", whole)])
    assert not joins_up([Step("text", "text", whole), Step("text", "text", pooled)])
    assert not joins_up([])


class Blind(CrossModalModel):
    """Reads word ids and nothing else, through no table that can be found."""

    streams = frozenset({"text"})

    def __init__(self) -> None:
        super().__init__(None, {"answer": one_answer})
        self.scale = torch.nn.Parameter(torch.ones(COLOURS))

    def forward(self, batch: Batch) -> Output:
        assert batch.text is not None
        return Output({"answer": batch.text.input_ids.float().mean(1, keepdim=True) * self.scale})


def test_a_model_without_real_valued_inputs_has_no_gradients_and_says_nothing() -> None:
    batch, _ = sample(1, torch.Generator())
    assert attribute(probe(Blind(), ColourTask(), Batch(text=batch.text)), random_orders=2) == ()
