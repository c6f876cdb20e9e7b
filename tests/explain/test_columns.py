"""What a row's answer rests on: found where it was planted, in the text, a number and a category."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from chiasm.batch import Batch, Table
from chiasm.data.example import Example, RowError
from chiasm.explain.columns import draw_columns, explain_row, modality_contributions
from chiasm.explain.probe import hide, items
from chiasm.synth.worlds import reviews
from chiasm.training.data import BadRowPolicy, read_splits
from chiasm.training.recipe import load_recipe
from chiasm.training.run import RunResult, train

SETTINGS = ["training.epochs=8", "training.drop_last=true", "training.warmup=0.1", "options.combine=concat"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """A model that has learnt the generated reviews."""
    recipe = load_recipe("text_tabular_clothing_small").tiny().with_settings(SETTINGS)
    recipe = recipe.with_settings(["data.world.rows=1500", "training.lr=5e-3", "training.batch_size=50"])
    splits = read_splits(recipe, None, BadRowPolicy(), show=False)
    return train(recipe, splits, tmp_path_factory.mktemp("run"), overwrite=True, show=False)


def test_hidden_columns_of_a_table_are_in_the_middle_and_unknown() -> None:
    table = Table(torch.ones(2, 2), torch.ones(2, 2, dtype=torch.bool), torch.ones(2, 1, dtype=torch.int64))
    assert items(table).shape == (2, 3)
    hidden = torch.tensor([[True, False, False], [False, False, True]])
    found = hide(Batch(table=table), "table", hidden).table
    assert found.numbers.tolist() == [[0, 1], [1, 1]]
    assert found.numbers_mask.tolist() == [[False, True], [True, True]]
    assert found.categories.tolist() == [[1], [0]]


def test_each_planted_modality_is_missed_and_its_share_shows(run: RunResult) -> None:
    found = modality_contributions(run.bundle, run.splits["validation"].examples)
    assert set(found) == {"all", "text", "numbers", "categories"}
    whole = found["all"]["accuracy"].value
    assert whole > 0.8
    for name in ("text", "numbers"):
        assert found[name]["accuracy"].value < whole - 0.05, name


def test_planted_columns_get_more_relevance_than_useless_ones(run: RunResult) -> None:
    totals: dict[str, float] = {}
    for example in run.splits["validation"].examples[:30]:
        explained = explain_row(run.bundle, example, random_orders=2)
        for share in explained.columns:
            totals[share.column] = totals.get(share.column, 0.0) + abs(share.relevance)
    assert max(totals, key=totals.__getitem__) == "Rating"
    assert totals["Department Name"] > max(totals[name] for name in reviews.USELESS)


def test_the_ranking_of_columns_is_more_faithful_than_random_ones(run: RunResult) -> None:
    scores = [explain_row(run.bundle, e).faithfulness for e in run.splits["validation"].examples[:15]]
    areas = [score.area for score in scores if score is not None]
    chance = [float(score.random_areas.mean()) for score in scores if score is not None]
    assert sum(areas) / len(areas) > sum(chance) / len(chance) + 0.05


def test_explaining_does_not_change_the_answer(run: RunResult) -> None:
    example = run.splits["validation"].examples[0]
    expected = next(p for p in run.predictions["validation"] if p.id == example.id)
    found = explain_row(run.bundle, example, random_orders=2).prediction
    assert found.answer == expected.answer
    assert found.probability == pytest.approx(expected.probability, abs=1e-5)


def test_the_bar_chart_is_a_picture_with_every_column_and_missing_cells(run: RunResult, tmp_path: Path) -> None:
    example = run.splits["validation"].examples[0]
    row = {**example.values["table"], "Age": None, "Class Name": "x" * 200}
    explained = explain_row(run.bundle, replace(example, values={**example.values, "table": row}), random_orders=2)
    assert draw_columns(explained).startswith(b"\x89PNG")
    assert len(explained.columns) == 6
    assert {share.column: share.cell for share in explained.columns}["Age"] is None
    assert explained.to_json()["columns"]


def test_a_row_without_a_table_is_named(run: RunResult) -> None:
    with pytest.raises(RowError, match="row x"):
        explain_row(run.bundle, Example("x", {"text": "nice"}))
