"""Fixed encoders read once: the same training, bit for bit, as reading in every step."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from chiasm.training.errors import RecipeError
from chiasm.training.recipe import Recipe, load_recipe
from chiasm.training.run import RunResult, train


def frozen(*settings: str) -> Recipe:
    return load_recipe("vit_bert_frozen_vqa").tiny().with_settings(["training.epochs=2", *settings])


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunResult, RunResult]:
    folder = tmp_path_factory.mktemp("frozen")
    cached = train(frozen(), out=folder / "cached", show=False)
    ordinary = train(frozen("training.procedure=ordinary"), out=folder / "ordinary", show=False)
    return cached, ordinary


def test_the_result_is_that_of_ordinary_training(runs: tuple[RunResult, RunResult]) -> None:
    cached, ordinary = (dict(run.bundle.model.named_parameters()) for run in runs)
    for name, parameter in ordinary.items():
        torch.testing.assert_close(cached[name], parameter, atol=1e-5, rtol=1e-4)
    assert [p.answer for p in runs[0].predictions["validation"]] == [
        p.answer for p in runs[1].predictions["validation"]
    ]


def test_only_the_head_was_trained(runs: tuple[RunResult, RunResult]) -> None:
    model = runs[0].bundle.model
    assert {name for name, p in model.named_parameters() if p.requires_grad} == {
        "heads.heads.answer.weight",
        "heads.heads.answer.bias",
    }


def test_each_distinct_image_has_one_vector(runs: tuple[RunResult, RunResult], tmp_path: Path) -> None:
    from accelerate import Accelerator

    from chiasm.training.procedures.cached_vectors import cached
    from chiasm.training.setup import Setup

    run = runs[0]
    data = run.splits["train"]
    setup = Setup(
        run.bundle.model, run.bundle.task, data, None, run.recipe.training, tmp_path, Accelerator(), further={}
    )
    made = cached(setup, data, batch_size=7)
    column = made.streams["image_vectors"]
    assert len(column.values) == 24  # type: ignore[attr-defined]
    assert len(column) == len(data)
    some = torch.tensor([5, 0, 3])
    with torch.no_grad():
        expected = run.bundle.model(data.batch(some)).scores["answer"]
        torch.testing.assert_close(run.bundle.model(made.batch(some)).scores["answer"], expected, atol=1e-5, rtol=1e-5)


def test_encoders_that_are_trained_cannot_be_cached(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="freeze them"):
        train(frozen("options.freeze=false"), out=tmp_path / "a", show=False)
    lxmert = load_recipe("lxmert_vqa").tiny().with_settings(["training.procedure=cached_vectors"])
    with pytest.raises(RecipeError, match="no vectors to cache"):
        train(lxmert, out=tmp_path / "b", show=False)
