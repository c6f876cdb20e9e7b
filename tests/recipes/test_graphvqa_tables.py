"""GraphVQA's tables: every row loads with its changes, builds, and stands beside the paper's number."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import chiasm.recipes
from chiasm.tasks import task
from chiasm.training.bundle import build_model
from chiasm.training.recipe import load_recipe
from chiasm.training.table_file import load_table

TABLES = sorted((Path(chiasm.recipes.__file__).parent / "tables" / "graphvqa").glob("*.toml"))
MEASURES = {"accuracy", "binary", "open", "consistency", "validity", "plausibility", "distribution"}


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_every_row_builds_at_its_full_size(path: Path) -> None:
    table = load_table(f"graphvqa/{path.stem}")
    assert table.reference in {row.name for row in table.rows}
    for row in table.rows:
        recipe = load_recipe(row.recipe).with_settings(row.settings)
        facts = {"vocab_size": 4096, "graph_vocab_size": 2640, "num_labels": 1842}
        with torch.device("meta"):
            build_model(recipe, facts, task(recipe.task).Task(**recipe.task_options))


def test_table_1_has_every_row_and_measure_of_the_paper() -> None:
    rows = {row.name: row for row in load_table("graphvqa/1").rows}
    names = ["GCN", "LCGN", "Only questions", "Only scene graphs", "GraphVQA-GCN", "GraphVQA-GINE", "GraphVQA-GAT"]
    assert list(rows) == names
    assert all(set(row.paper) == MEASURES for row in rows.values())
    assert rows["GraphVQA-GAT"].paper["accuracy"] == pytest.approx(0.9478)
    # Chi-square / 100, not a share: as the measure gives it.
    assert rows["GraphVQA-GAT"].paper["distribution"] == pytest.approx(0.07)
    # The printed 88.43 is its accuracy (sheet, section 7).
    assert rows["LCGN"].paper["open"] == pytest.approx(0.8643)


def test_table_4_is_gine_with_a_deeper_theta() -> None:
    rows = {row.name: row for row in load_table("graphvqa/4").rows}
    deeper = rows["GraphVQA-GINE-2"]
    assert load_recipe(deeper.recipe).with_settings(deeper.settings).options["theta_layers"] == 2
    assert deeper.paper["accuracy"] == pytest.approx(0.8504)


def test_the_planted_table_has_gat_with_both_scores() -> None:
    rows = {row.name: row for row in load_table("graphvqa/planted").rows}
    used = {name: load_recipe(row.recipe).with_settings(row.settings).options for name, row in rows.items()}
    assert used["GraphVQA-GAT"]["convolution"] == "gat_mlp"
    assert used["GraphVQA-GAT, released linear score"] == {**used["GraphVQA-GAT"], "convolution": "gat"}


def test_the_published_recipes_train_as_published() -> None:
    """Sheet, section 4."""
    for name in ("graphvqa", "graphvqa_gine", "graphvqa_gcn", "lcgn"):
        training = load_recipe(name).training
        assert (training.lr, training.batch_size, training.epochs, training.schedule) == (1e-4, 256, 100, "tenth")
        assert (training.weight_decay, training.clip_norm, training.warmup) == (0.0, 0.0, 0.0)


def test_a_tenth_of_the_rate_is_left_after_90_of_100_epochs() -> None:
    from chiasm.training.schedule import factor

    assert [factor("tenth", 0.0, epoch / 100) for epoch in (0, 89, 90, 99)] == [1.0, 1.0, 0.1, 0.1]
