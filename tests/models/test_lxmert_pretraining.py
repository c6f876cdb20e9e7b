"""The six pre-training losses equal slow formulas; heads without a task are idle; published sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from chiasm.batch import Batch, Regions, Text
from chiasm.models.lxmert_pretraining import HEADS, OF_REGIONS, Config, LxmertPretraining
from chiasm.objectives.cases import class_of_case, smooth_difference, squared_difference

SMALL: dict[str, Any] = {
    "vocab_size": 30,
    "feature_size": 6,
    "num_labels": 5,
    "num_objects": 7,
    "num_attributes": 4,
    "hidden_size": 24,
    "num_attention_heads": 3,
    "intermediate_size": 40,
    "language_layers": 2,
    "object_layers": 1,
    "cross_layers": 2,
    "hidden_dropout": 0.0,
    "attention_dropout": 0.0,
    "initializer_range": 0.2,
}
B, T, R = 4, 6, 5


def objectives(heads: tuple[str, ...] = HEADS, features: Any = smooth_difference) -> Mapping[str, Any]:
    return {head: features if head == "features" else class_of_case for head in heads}


def model(heads: tuple[str, ...] = HEADS, features: Any = smooth_difference, **options: Any) -> LxmertPretraining:
    torch.manual_seed(0)
    return LxmertPretraining(Config(**{**SMALL, **options}), objectives(heads, features)).eval()


def batch(*, padded: bool = True, labelled: bool = True) -> Batch:
    """Four sentences and images: two words and a few regions hidden in some of them."""
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(5, 30, (B, T), generator=generator)
    text_mask = torch.arange(T) < torch.tensor([6, 5, 6, 4])[:, None]
    mask = torch.arange(R) < (torch.tensor([5, 3, 5, 4])[:, None] if padded else R)
    features = torch.randn(B, R, 6, generator=generator) * 2
    words = torch.full((B, T), -1)
    if labelled:
        words[0, 2], words[0, 3], words[2, 1] = 7, 9, 12
    hidden = torch.zeros(B, R, dtype=torch.bool)
    hidden[0, 1] = hidden[3, 2] = hidden[3, 0] = True
    sure = torch.rand(B, R, generator=generator) * mask
    classes = torch.randint(0, 7, (B, R), generator=generator)
    answer = torch.tensor([3, -1, 1, -1]) if labelled else torch.full((B,), -1)
    targets = {
        "words": words,
        "matched": torch.tensor([1, 0, 1, 0]),
        "objects": classes,
        "objects_weight": sure / 0.15,
        "attributes": classes % 4,
        "attributes_weight": sure / 0.3,
        "features": features,
        "features_weight": hidden / 0.15,
        "answer": answer,
        "answer_weight": 2.0 * (answer >= 0),
    }
    shown = features.masked_fill(hidden[..., None], 0.0)
    boxes = torch.rand(B, R, 4, generator=generator)
    return Batch(text=Text(ids, text_mask), regions=Regions(shown, boxes, mask if padded else None), targets=targets)


def slow_losses(net: LxmertPretraining, given: Batch, features: Any) -> dict[str, Tensor]:
    """All six from dense scores, as the released code writes them (sheet, section 5)."""
    assert given.text is not None
    assert given.regions is not None
    t = given.targets
    words, objects, pooled = net.encoder(given.text, given.regions)
    vocabulary = net.word_head(words, net.get_input_embeddings().weight)
    shared = net.object_head.transform(objects)
    real = torch.ones(B, R) if given.regions.attention_mask is None else given.regions.attention_mask.float()
    found = {"words": F.cross_entropy(vocabulary.flatten(0, 1), t["words"].flatten(), ignore_index=-1)}
    found["matched"] = F.cross_entropy(net.matching_head(pooled), t["matched"])
    for head in ("objects", "attributes"):
        scores = net.object_head(shared, head)
        entries = F.cross_entropy(scores.flatten(0, 1), t[head].flatten(), reduction="none").view(B, R)
        found[head] = (entries * t[f"{head}_weight"]).sum() / real.sum()
    difference = features(net.object_head(shared, "features"), t["features"], reduction="none").mean(-1)
    found["features"] = (difference * t["features_weight"]).sum() / real.sum()
    found["answer"] = 2 * F.cross_entropy(net.answer_head(pooled), t["answer"], ignore_index=-1)
    return found


@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize(
    ("features", "plain"), [(smooth_difference, F.smooth_l1_loss), (squared_difference, F.mse_loss)]
)
def test_each_loss_equals_the_slow_formula(padded: bool, features: Any, plain: Any) -> None:
    net, given = model(features=features), batch(padded=padded)
    found = net.losses(net(given), given)
    expected = slow_losses(net, given, plain)
    assert list(found) == list(HEADS)
    for head in HEADS:
        torch.testing.assert_close(found[head], expected[head], atol=1e-5, rtol=1e-5)


def test_a_head_without_a_labelled_place_costs_nothing() -> None:
    net, given = model(), batch(labelled=False)
    losses = net.losses(net(given), given)
    assert losses["words"] == losses["answer"] == 0
    torch.stack(list(losses.values())).sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())


@torch.no_grad()
def test_the_sums_of_each_example_make_the_loss_of_any_batch() -> None:
    net, given = model(), batch()
    whole = net(given)
    parts = [net(given[i]) for i in range(B)]
    for head in HEADS:
        sums = torch.cat([part.states[f"measured/{head}"] for part in parts])
        torch.testing.assert_close(sums, whole.states[f"measured/{head}"], atol=1e-4, rtol=1e-4)
    words = whole.states["measured/words"]
    assert words[:, 1].tolist() == [2, 0, 1, 0]
    assert whole.states["measured/objects"][:, 1].tolist() == [5, 3, 5, 4]  # all regions, hidden or not


def test_a_batch_without_targets_is_scored_but_has_no_losses() -> None:
    net, given = model(), batch()
    bare = Batch(text=given.text, regions=given.regions)
    output = net(bare)
    assert set(output.scores) == {"matched", "answer"}
    with pytest.raises(ValueError, match="no targets for words"):
        net.losses(output, bare)


@pytest.mark.parametrize(
    ("heads", "options"),
    [
        (HEADS, {}),
        (HEADS, {"shared_cross_attention": False, "padding_idx": False}),
        (("words", "matched", "answer"), {}),
        (("words", "matched", "answer"), {"shared_cross_attention": False}),
        (("words", "matched", "features", "answer"), {}),
        (("words", "objects"), {}),
        (OF_REGIONS, {"shared_cross_attention": False}),
        (("words",), {"use_images": False}),
    ],
)
def test_exactly_the_idle_parameters_get_no_gradient(heads: tuple[str, ...], options: dict[str, Any]) -> None:
    net, given = model(heads, **options), batch()
    torch.stack(list(net.losses(net(given), given).values())).sum().backward()
    idle = {n for n, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0}
    assert idle == net.idle_parameters()


def test_the_word_table_is_held_once() -> None:
    net = model()
    assert [name for name in net.state_dict() if net.state_dict()[name].shape == (30, 24)] == [
        "encoder.text_embedding.words.weight"
    ]
    given = batch()
    net.losses(net(given), given)["words"].backward()
    table = net.get_input_embeddings().weight.grad
    assert table is not None
    unseen = set(range(30)) - set(given.text.input_ids.flatten().tolist())  # type: ignore[union-attr]
    assert all(table[i].abs().sum() > 0 for i in unseen)  # through the scores


def test_heads_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="no pre-training head 'answers'"):
        model(("answers",))
    with pytest.raises(ValueError, match="nothing to learn about objects"):
        model(("words", "objects"), use_images=False)


def test_the_published_size() -> None:
    with torch.device("meta"):
        net = LxmertPretraining(Config(), objectives())
    count = sum(p.numel() for p in net.parameters())
    assert count == 228_051_752
    heads = {
        "word_head.": 768 * 768 + 768 + 2 * 768 + 30522,
        "matching_head.": 2 * 769,
        "object_head.": 3_705_040,
        "answer_head.": 15_785_756,
    }
    for prefix, size in heads.items():
        assert sum(p.numel() for n, p in net.named_parameters() if n.startswith(prefix)) == size
    assert heads["word_head."] + heads["matching_head."] == 624_188
