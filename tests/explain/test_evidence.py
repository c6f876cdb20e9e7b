"""Recorded evidence: complete, in order, and without effect on the answer."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from chiasm.batch import Batch
from chiasm.explain.evidence import attention_steps, darkest, observe, simultaneous
from chiasm.explain.probe import repeat
from chiasm.layers.recording import is_recording
from tests.explain.planted import THINGS, sample, small_model


@pytest.fixture
def batch() -> Batch:
    return sample(1, torch.Generator().manual_seed(3))[0]


@pytest.mark.parametrize("shared", [True, False])
def test_recording_does_not_change_a_bit_of_the_answer(batch: Batch, shared: bool) -> None:
    model = small_model(shared_cross_attention=shared).eval()
    with torch.no_grad():
        plain = model(batch)
    observed, _ = observe(model, batch)
    assert torch.equal(plain.scores["answer"], observed.scores["answer"])
    assert not is_recording(model)


def test_maps_hold_every_layer_and_head_of_both_cross_directions(batch: Batch) -> None:
    _, maps = observe(small_model(), batch)
    shapes = {m.evidence.title: [tuple(layer.shape) for layer in m.layers] for m in maps}
    assert shapes["words look at regions"] == [(1, 4, 6, THINGS)] * 2
    assert shapes["regions look at words"] == [(1, 4, THINGS, 6)] * 2
    assert shapes["language encoder"] == [(1, 4, 6, 6)]
    assert shapes["object encoder"] == [(1, 4, THINGS, THINGS)]


def test_rows_of_attention_sum_to_one(batch: Batch) -> None:
    _, maps = observe(small_model(), batch)
    for one in maps:
        for layer in one.layers:
            assert torch.allclose(layer.sum(-1), torch.ones(layer.shape[:-1]))


def test_the_mean_over_heads_is_the_mean_of_the_heads(batch: Batch) -> None:
    _, maps = observe(small_model(), batch)
    layer = maps[0].layers[0]
    by_hand = (layer[:, 0] + layer[:, 1] + layer[:, 2] + layer[:, 3]) / 4
    assert torch.allclose(maps[0].mean_over_heads()[0], by_hand)


def test_a_model_in_training_is_observed_without_dropout_and_stays_in_training(batch: Batch) -> None:
    model = small_model(hidden_dropout=0.5).train()
    first, _ = observe(model, batch)
    second, _ = observe(model, batch)
    assert torch.equal(first.scores["answer"], second.scores["answer"])
    assert all(module.training for module in model.modules())


def test_steps_come_in_the_order_of_the_forward_pass(batch: Batch) -> None:
    _, steps = attention_steps(small_model(), batch)
    order = [(step.query, step.key) for step in steps]
    cross = [("text", "regions"), ("regions", "text"), ("text", "text"), ("regions", "regions")]
    assert order == [("text", "text"), ("regions", "regions"), *cross, *cross]


def test_both_directions_of_one_cross_attention_are_simultaneous(batch: Batch) -> None:
    _, steps = attention_steps(small_model(), batch)
    assert [len(group) for group in simultaneous(steps)] == [1, 1, 2, 1, 1, 2, 1, 1]


def test_two_images_give_two_views(batch: Batch) -> None:
    model = small_model(num_images=2)
    pair = sample(2, torch.Generator().manual_seed(3))[0]
    assert pair.regions is not None
    assert pair.text is not None
    both = Batch(text=pair.text.select(torch.tensor([0])), regions=pair.regions)
    both = Batch(text=both.text, regions=type(pair.regions)(**{**vars(pair.regions), "index": torch.tensor([[1, 0]])}))
    _, maps = observe(model, repeat(both, 1))
    views = {m.evidence.title: m.layers[0].shape[0] for m in maps}
    assert views["language encoder"] == 1
    assert views["object encoder"] == 2
    assert views["words look at regions"] == 2


def test_even_attention_is_drawn_in_a_middle_tone_and_a_stare_darkest() -> None:
    assert darkest(np.full((3, 4), 0.25)) == 0.5
    assert darkest(np.eye(4)) == 1.0
