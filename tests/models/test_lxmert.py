"""LXMERT's own promises: sharing, pairs, options, evidence, idle parameters."""

from __future__ import annotations

import pytest
import torch

from chiasm.batch import Batch, Regions, Text
from chiasm.layers.recording import record
from chiasm.models.lxmert import Config, Lxmert
from chiasm.objectives.answers import one_answer

SMALL = {
    "vocab_size": 50,
    "feature_size": 10,
    "num_labels": 4,
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


def model(**options: object) -> Lxmert:
    torch.manual_seed(0)
    return Lxmert(Config(**{**SMALL, **options}), {"answer": one_answer}).eval()  # type: ignore[arg-type]


def text(rows: int, words: int = 6) -> Text:
    ids = torch.arange(rows * words).view(rows, words) % 48 + 1
    return Text(ids, torch.ones(rows, words, dtype=torch.bool))


def regions(images: int, index: torch.Tensor | None = None) -> Regions:
    values = torch.sin(torch.arange(images * 5 * 10, dtype=torch.float32)).view(images, 5, 10)
    return Regions(values, values[..., :4].abs(), index=index)


@torch.no_grad()
def test_an_image_held_once_gives_the_answers_of_an_image_repeated() -> None:
    lxmert, rows = model(), torch.tensor([0, 1, 1, 0])
    once = Batch(text=text(4), regions=regions(2, rows[:, None]))
    repeated = Batch(text=text(4), regions=Regions(regions(2).features[rows], regions(2).boxes[rows]))
    torch.testing.assert_close(lxmert(once).scores["answer"], lxmert(repeated).scores["answer"])


@torch.no_grad()
def test_a_pair_is_read_in_its_order() -> None:
    lxmert = model(num_images=2)
    pair = Batch(text=text(1), regions=regions(2, torch.tensor([[0, 1]])))
    swapped = Batch(text=text(1), regions=regions(2, torch.tensor([[1, 0]])))
    first, second = lxmert(pair).states["pooled"].chunk(2, 1)
    assert torch.allclose(torch.cat([second, first], 1), lxmert(swapped).states["pooled"], atol=1e-6)
    assert not torch.allclose(lxmert(pair).scores["answer"], lxmert(swapped).scores["answer"], atol=1e-3)


@torch.no_grad()
def test_the_order_of_objects_does_not_matter() -> None:
    lxmert, order, given = model(), torch.tensor([3, 0, 4, 1, 2]), regions(2)
    other = Regions(given.features[:, order], given.boxes[:, order])
    torch.testing.assert_close(
        lxmert(Batch(text=text(2), regions=given)).scores["answer"],
        lxmert(Batch(text=text(2), regions=other)).scores["answer"],
    )


@torch.no_grad()
def test_separate_cross_attention_with_equal_weights_is_the_shared_one() -> None:
    shared, separate = model(), model(shared_cross_attention=False)
    weights = shared.state_dict()
    for key in list(separate.state_dict()):
        for direction in ("text_", "regions_"):
            if f"cross_attention.{direction}" in key:
                weights[key] = weights[key.replace(f"cross_attention.{direction}", "cross_attention.")]
    separate.load_state_dict({key: weights[key] for key in separate.state_dict()})
    batch = Batch(text=text(2), regions=regions(2))
    torch.testing.assert_close(separate(batch).scores["answer"], shared(batch).scores["answer"])


@pytest.mark.parametrize("shared", [True, False])
@torch.no_grad()
def test_every_kind_of_evidence_is_recorded_and_changes_nothing(shared: bool) -> None:
    lxmert = model(shared_cross_attention=shared)
    batch = Batch(text=text(2), regions=regions(2))
    plain = lxmert(batch).scores["answer"]
    with record(lxmert) as seen:
        assert torch.equal(lxmert(batch).scores["answer"], plain)
    size = {"text": 6, "regions": 5}
    for kind in lxmert.evidence():
        for module in kind.modules:
            (map_,) = seen[module]
            assert map_.shape == (2, 3, size[kind.query], size[kind.key])
            torch.testing.assert_close(map_.sum(-1), torch.ones(map_.shape[:-1]))
    assert {(e.query, e.key) for e in lxmert.evidence()} == {(q, k) for q in size for k in size}


@pytest.mark.parametrize(
    "options", [{}, {"shared_cross_attention": False}, {"padding_idx": False}, {"use_images": False}]
)
def test_exactly_the_idle_parameters_get_no_gradient(options: dict[str, object]) -> None:
    lxmert = model(**options)
    batch = Batch(text=text(2), regions=regions(2), targets={"answer": torch.tensor([1, 2])})
    lxmert.losses(lxmert(batch), batch)["answer"].backward()
    idle = {n for n, p in lxmert.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0}
    assert idle == lxmert.idle_parameters()


def test_the_first_rows_of_the_tables_are_frozen_unless_asked_otherwise() -> None:
    for frozen in (True, False):
        lxmert = model(padding_idx=frozen)
        batch = Batch(text=text(2), regions=regions(2), targets={"answer": torch.tensor([1, 2])})
        lxmert.losses(lxmert(batch), batch)["answer"].backward()
        gradient = lxmert.encoder.text_embedding.positions.weight.grad
        assert gradient is not None
        assert bool((gradient[0] == 0).all()) is frozen
        assert bool((lxmert.encoder.text_embedding.positions.weight[0] != 0).all())


def test_what_does_not_fit_is_said() -> None:
    with pytest.raises(ValueError, match=r"reads 1 image\(s\) per example, the batch has 2"):
        model()(Batch(text=text(1), regions=regions(2, torch.tensor([[0, 1]]))))
    with pytest.raises(ValueError, match=r"needs a regions stream; add a \[regions\] section"):
        model()(Batch(text=text(1)))
    with pytest.raises(ValueError, match=r"needs a text stream"):
        model()(Batch(regions=regions(1)))
    with pytest.raises(ValueError, match="600 word pieces is longer than the model's 512 positions"):
        model()(Batch(text=text(1, 600), regions=regions(1)))
