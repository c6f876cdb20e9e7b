"""BUTD: where the question looks, padding, pairs of images, and a BERT in the LSTM's place."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from chiasm.batch import Batch, Regions, Text
from chiasm.layers.recording import record
from chiasm.models.butd import Butd, Config
from chiasm.objectives.answers import one_answer

SMALL: dict[str, Any] = {
    "vocab_size": 40, "feature_size": 6, "num_labels": 3, "word_size": 8, "hidden_size": 10, "dropout": 0.0,
}  # fmt: skip
BERT = {"language_layers": 2, "bert_size": 16, "num_attention_heads": 2, "intermediate_size": 24}


def model(**options: Any) -> Butd:
    torch.manual_seed(0)
    return Butd(Config(**{**SMALL, **options}), {"answer": one_answer}).eval()


def batch(images: int = 1) -> Batch:
    ids = torch.arange(12).view(2, 6) + 1
    mask = torch.arange(6) < torch.tensor([6, 4])[:, None]
    features = torch.sin(torch.arange(2.0 * images * 4 * 6)).view(-1, 4, 6)
    real = torch.arange(4) < torch.tensor([4, 2] * images)[:, None]
    index = None if images == 1 else torch.tensor([[0, 1], [2, 3]])
    boxes = torch.zeros(len(features), 4, 4)
    regions = Regions(features, boxes, real, index=index)
    return Batch(text=Text(ids, mask), regions=regions, targets={"answer": torch.tensor([0, 2])})


@pytest.mark.parametrize("options", [{}, BERT], ids=["LSTM", "BERT"])
@torch.no_grad()
def test_padding_of_words_and_regions_does_not_change_the_answer(options: dict[str, Any]) -> None:
    net, given = model(**options), batch()
    assert given.text is not None
    assert given.regions is not None
    before = net(given).scores["answer"]
    given.text.input_ids[1, 4:] = 33
    given.regions.features[1, 2:] = 5.0
    torch.testing.assert_close(net(given).scores["answer"], before)


@torch.no_grad()
def test_the_answer_is_the_products_of_question_and_looked_at_regions() -> None:
    net, given = model(), batch()
    assert given.text is not None
    assert given.regions is not None
    states, _ = net.encoder.lstm(net.encoder.words(given.text.input_ids[1:, :4]))  # type: ignore[union-attr, operator]
    question, features = states[0, -1], given.regions.features[1, :2]
    scores = torch.stack([net.score(net.attention(torch.cat([v, question]))) for v in features]).squeeze(-1)
    seen = (scores.softmax(0)[:, None] * features).sum(0)
    expected = net.answer_scores(net.answer(net.question(question) * net.image(seen)))
    torch.testing.assert_close(net(given).scores["answer"][1], expected)


@torch.no_grad()
def test_what_is_recorded_is_a_distribution_over_real_regions() -> None:
    net, given = model(), batch()
    with record(net) as seen:
        net(given)
    (kind,) = net.evidence()
    (weights,) = seen[kind.modules[0]]
    assert weights.shape == (2, 1, 6, 4)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 1, 6))
    assert (weights[1, ..., 2:] == 0).all()


@torch.no_grad()
def test_two_images_are_read_in_their_order() -> None:
    net, given = model(num_images=2), batch(2)
    first, second = net(given).states["pooled"].chunk(2, 1)
    one = model()
    one.load_state_dict({n: t if n != "answer.value.weight" and n != "answer.gate.weight" else t[:, :10]
                         for n, t in net.state_dict().items()})  # fmt: skip
    assert given.regions is not None
    assert given.regions.attention_mask is not None
    for side, state in enumerate((first, second)):
        rows = torch.tensor([side, 2 + side])
        picked = Regions(given.regions.features[rows], given.regions.boxes[rows], given.regions.attention_mask[rows])
        torch.testing.assert_close(one(Batch(text=given.text, regions=picked)).states["pooled"], state)
    with pytest.raises(ValueError, match=r"reads 2 image\(s\) per example, the batch has 1"):
        net(batch())


@pytest.mark.parametrize("options", [{}, BERT], ids=["LSTM", "BERT"])
def test_every_parameter_gets_a_gradient(options: dict[str, Any]) -> None:
    net, given = model(**options), batch()
    net.losses(net(given), given)["answer"].backward()
    assert {n for n, p in net.named_parameters() if p.grad is None or not p.grad.any()} == net.idle_parameters()
