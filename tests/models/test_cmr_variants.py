"""CMR without single-modality layers, with joint layers, with states that BERT gave before."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from chiasm.batch import Batch, States
from chiasm.encoders.raw import RawRegions, RawText
from chiasm.models.cmr import Cmr
from tests.models.test_cmr import batch, model


def moved(given: Batch) -> Batch:
    """The batch with every region's box elsewhere."""
    assert given.regions is not None
    return replace(given, regions=replace(given.regions, boxes=given.regions.boxes.flip(1) * 0.5))


def scores(one: Cmr, given: Batch) -> torch.Tensor:
    return one(given).scores["answer"]


def test_without_single_modality_layers_words_and_regions_are_mapped_linearly() -> None:
    raw, given = model(single_modality=False), batch()
    encoder = raw.encoder
    assert not list(encoder.language_layers)
    assert not list(encoder.object_layers)
    assert given.text is not None
    assert given.regions is not None
    twice = replace(given.regions, features=2 * given.regions.features)
    once, doubled = encoder.region_embedding(given.regions), encoder.region_embedding(twice)
    assert isinstance(encoder.region_embedding, RawRegions)
    bias = encoder.region_embedding.map.bias
    torch.testing.assert_close(doubled - bias, 2 * (once - bias))
    table = encoder.text_embedding
    assert isinstance(table, RawText)
    first = table.words.weight[given.text.input_ids[0, 0]] + table.positions.weight[0] + table.types.weight[0]
    torch.testing.assert_close(encoder.states(given.text).states[0, 0], table.map(first))


def test_without_single_modality_layers_boxes_are_not_read() -> None:
    given = batch()
    raw, full = model(single_modality=False), model()
    torch.testing.assert_close(scores(raw, moved(given)), scores(raw, given))
    assert not torch.allclose(scores(full, moved(given)), scores(full, given), atol=1e-4)


def test_without_single_modality_layers_published_tables_stay_and_the_maps_are_trained() -> None:
    raw = model(single_modality=False)
    raw.losses(raw(batch()), batch())["answer"].backward()
    without = {name for name, p in raw.named_parameters() if p.grad is None or not p.grad.any()}
    assert without == raw.idle_parameters()
    assert "encoder.text_embedding.words.weight" in without
    assert "encoder.text_embedding.map.weight" not in without


def test_joint_layers_let_a_word_see_the_other_words_through_the_same_attention_as_regions() -> None:
    from chiasm.layers.recording import record

    joint = model(cross_type="joint")
    with record(joint) as seen:
        joint(batch())
    (attention,) = seen["encoder.cross_layers.0.layer.self_attention.attention.tap"]
    assert attention.shape == (6, 2, 18, 18)  # 8 words and 10 regions
    assert not attention[:2, :, :, 6:8].any()  # padding of the first text
    torch.testing.assert_close(attention.sum(-1), torch.ones(6, 2, 18))
    assert {e.kind for e in joint.evidence()} == {"attention", "affinity", "ranking"}
    assert all(name in dict(joint.named_modules()) for e in joint.evidence() for name in e.modules)


def test_joint_layers_get_gradients_and_are_blind_to_padding() -> None:
    joint, given = model(cross_type="joint"), batch()
    joint.losses(joint(given), given)["answer"].backward()
    without = {name for name, p in joint.named_parameters() if p.grad is None or not p.grad.any()}
    assert without == joint.idle_parameters()
    assert given.text is not None
    other = given.text.input_ids.clone()
    other[0, 6:] = 4
    padded = replace(given, text=replace(given.text, input_ids=other))
    torch.testing.assert_close(scores(joint, padded), scores(joint, given), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("options", [{}, {"mask_padding": False}, {"cross_type": "joint"}], ids=str)
def test_states_that_bert_gave_before_give_the_same_answer_bit_for_bit(options: dict[str, object]) -> None:
    one, given = model(**options), batch()
    known = one.vectors(given)
    again = replace(given, text=None, more=known)
    assert torch.equal(scores(one, again), scores(one, given))
    assert one.vectors(again)["text_states"] is known["text_states"]


def test_a_statement_of_several_examples_may_be_there_once() -> None:
    one, given = model(), batch(examples=2)
    known = one.vectors(given)["text_states"]
    shared = States(known.states[:1], known.attention_mask[:1], index=torch.tensor([[0], [0]]))
    whole = States(known.states[[0, 0]], known.attention_mask[[0, 0]])
    answers = [scores(one, replace(given, text=None, more={"text_states": s})) for s in (shared, whole)]
    assert torch.equal(*answers)


def test_too_many_words_are_refused_as_states_too() -> None:
    states = States(torch.zeros(3, 16, 16), torch.ones(3, 16, dtype=torch.bool))
    with pytest.raises(ValueError, match="16 word pieces and 10 regions for a model of 12 and 10"):
        model()(replace(batch(), text=None, more={"text_states": states}))
    with pytest.raises(ValueError, match="CMR needs a text"):
        model().vectors(replace(batch(), text=None))
