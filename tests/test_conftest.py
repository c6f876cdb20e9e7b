"""The shared fixtures do what they say."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from .conftest import SharedData


def test_a_data_set_that_is_absent_skips_the_test_and_is_named(tmp_path: Path) -> None:
    with pytest.raises(pytest.skip.Exception, match="easy_vqa"):
        SharedData(tmp_path)("easy_vqa")


def test_a_data_set_that_is_there_is_a_path_both_ways(tmp_path: Path) -> None:
    (tmp_path / "easy_vqa").mkdir()
    assert SharedData(tmp_path)("easy_vqa") == SharedData(tmp_path) / "easy_vqa" == tmp_path / "easy_vqa"


def test_weights_by_formula_are_the_same_twice_and_differ_within_a_layer(
    formula_weights: Callable[..., nn.Module],
) -> None:
    first, second = (formula_weights(nn.Linear(5, 3)) for _ in range(2))
    assert torch.equal(first.weight, second.weight)  # type: ignore[arg-type]
    assert first.weight.unique().numel() == 15  # type: ignore[union-attr, operator]


def test_the_cache_is_the_test_runs_own(cache_folder: Path) -> None:
    assert os.environ["CHIASM_CACHE"] == str(cache_folder)
