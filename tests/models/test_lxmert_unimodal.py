"""LXMERT's baselines of one modality (Table 2): what they do not see does not matter to them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from chiasm.batch import Batch

from .test_lxmert import model, regions, text


def batch() -> Batch:
    return Batch(text=text(2), regions=regions(2), targets={"answer": torch.tensor([1, 2])})


@torch.no_grad()
def test_the_image_only_baseline_reads_no_word() -> None:
    lxmert, given = model(use_text=False), batch()
    assert given.text is not None
    ids = given.text.input_ids.clone()
    ids[:, 1:] = 7
    other = replace(given, text=replace(given.text, input_ids=ids))
    assert torch.equal(lxmert(other).scores["answer"], lxmert(given).scores["answer"])
    elsewhere = replace(given, regions=regions(3).select(torch.tensor([1, 2])))
    assert not torch.allclose(lxmert(elsewhere).scores["answer"], lxmert(given).scores["answer"], atol=1e-3)


@torch.no_grad()
def test_the_language_only_baseline_sees_no_image() -> None:
    lxmert, given = model(use_images=False), batch()
    elsewhere = replace(given, regions=regions(3).select(torch.tensor([1, 2])))
    assert torch.equal(lxmert(elsewhere).scores["answer"], lxmert(given).scores["answer"])


@pytest.mark.parametrize("options", [{}, {"padding_idx": False}, {"shared_cross_attention": False}])
def test_exactly_the_idle_parameters_of_the_image_only_baseline_get_no_gradient(options: dict[str, object]) -> None:
    lxmert, given = model(use_text=False, **options), batch()
    lxmert.losses(lxmert(given), given)["answer"].backward()
    idle = {n for n, p in lxmert.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0}
    assert idle == lxmert.idle_parameters()
