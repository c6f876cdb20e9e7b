from __future__ import annotations

import torch

from chiasm.batch import Batch, Regions, Text


def batch() -> Batch:
    """Three questions on two images; the second and third share one."""
    ids = torch.arange(12).view(3, 4)
    features = torch.arange(2 * 5 * 6, dtype=torch.float32).view(2, 5, 6)
    regions = Regions(features, torch.rand(2, 5, 4), index=torch.tensor([[0], [1], [1]]))
    choices = Text(ids + 100, ids > 0)
    return Batch(
        Text(ids, ids >= 0),
        regions,
        more={"choices": choices},
        targets={"answer": torch.tensor([7, 8, 9])},
        ids=("a", "b", "c"),
    )


def test_a_slice_keeps_only_the_images_it_needs() -> None:
    part = batch()[1:]
    assert part.regions is not None
    assert part.regions.index is not None
    assert part.regions.features.shape == (1, 5, 6)
    assert part.regions.index.tolist() == [[0], [0]]
    assert part.regions.features[0, 0, 0] == 30
    assert (part.ids, part.targets["answer"].tolist(), len(part)) == (("b", "c"), [8, 9], 2)
    assert part.more["choices"].input_ids.tolist() == (torch.arange(4, 12).view(2, 4) + 100).tolist()  # type: ignore[attr-defined]


def test_one_example_and_a_choice_by_booleans() -> None:
    assert batch()[0].ids == ("a",)
    assert batch()[torch.tensor([True, False, True])].ids == ("a", "c")
    assert batch()[-1].ids == ("c",)


def test_every_tensor_moves() -> None:
    moved = batch().to("meta")
    assert moved.text is not None
    assert moved.regions is not None
    assert moved.regions.index is not None
    devices = {moved.text.input_ids.device, moved.regions.index.device, moved.targets["answer"].device}
    assert devices == {torch.device("meta")}
