"""LXMERT's tables: all published rows with their numbers, as recipes that load; and the stages that they begin with."""

from __future__ import annotations

from pathlib import Path

import pytest

from chiasm.recipes.tables import table_names
from chiasm.training.recipe import load_recipe
from chiasm.training.table_file import Table, load_table
from chiasm.training.tables import run_table

PUBLISHED = {  # vqa, gqa, nlvr2 (sheet, section 9)
    "lxmert/3": {
        "lstm_butd": (63.1, 50.0, 52.6), "bert_butd": (62.8, 52.1, 51.9), "bert_cross1": (64.6, 55.5, 52.4),
        "bert_cross2": (65.8, 56.1, 50.9), "bert_cross3": (66.4, 56.6, 50.9), "bert_cross4": (66.4, 56.0, 50.9),
        "bert_cross5": (66.5, 56.3, 50.9), "train_bert": (65.5, 56.2, 50.9), "train_scratch": (65.1, 50.0, 50.9),
        "pretrain_bert": (68.8, 58.3, 70.1), "pretrain_scratch": (69.9, 60.0, 74.9),
    },
    "lxmert/4": {
        "P20+DA": (68.0, 58.1, None), "P20+FT": (68.9, 58.2, 72.4), "P10+QA10+DA": (69.1, 59.2, None),
        "P10+QA10+FT": (69.9, 60.0, 74.9),
    },
    "lxmert/5": {
        "no_vision_tasks": (66.3, 57.1, 50.9), "feat": (69.2, 59.5, 72.9), "label": (69.5, 59.3, 73.5),
        "feat+label": (69.9, 60.0, 74.9),
    },
}  # fmt: skip
NAMES = [name for name in table_names() if name.startswith("lxmert/")]


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_row_is_there_with_its_numbers(name: str) -> None:
    rows = {row.name: row.paper for row in load_table(name).rows}
    assert set(rows) == set(PUBLISHED[name])
    for row, numbers in PUBLISHED[name].items():
        printed = [rows[row].get(f"{part}:accuracy") for part in ("vqa", "gqa", "nlvr2")]
        assert printed == [None if n is None else pytest.approx(n / 100) for n in numbers]


def test_the_second_table_has_the_baselines() -> None:
    rows = {row.name: row for row in load_table("lxmert/2").rows}
    assert rows["LXMERT"].paper["nlvr2:consistency"] == pytest.approx(0.421)
    assert rows["Language only"].paper["vqa:accuracy/answer/other"] == pytest.approx(0.276)
    assert rows["Image only"].settings[0] == "options.use_text=false"
    assert rows["Human"].parts == ()


@pytest.mark.parametrize("name", NAMES)
def test_every_row_and_stage_is_a_recipe_with_changes_that_exist(name: str) -> None:
    table: Table = load_table(name)
    assert table.reference in {row.name for row in table.rows}
    for row in table.rows:
        for run in [*table.runs(row), *table.before(row.after)]:
            recipe = load_recipe(run.recipe).with_settings(run.settings)
            tiny = recipe.with_settings([]).tiny()
            assert tiny.model == recipe.model


def test_without_pre_training_the_published_schedule_is_longer() -> None:
    table = load_table("lxmert/3")
    scratch = next(row for row in table.rows if row.name == "train_scratch")
    for run in table.runs(scratch):
        training = load_recipe(run.recipe).with_settings(run.settings).training
        assert (training.epochs, training.batch_size, training.lr) == (20, 64, 1e-4)


def test_pre_training_is_as_published() -> None:
    recipe = load_recipe("lxmert_pretrain")
    training = recipe.training
    assert (training.epochs, training.batch_size, training.lr, training.warmup) == (20, 256, 1e-4, 0.05)
    assert (training.optimizer, training.clip_norm, training.weight_decay) == ("bert_adam", 1.0, 0.01)
    assert recipe.task_options == {"answers_from_epoch": 10, "answer_weight": 2.0}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_row_runs_in_its_tiny_form(name: str, tmp_path: Path) -> None:
    table = load_table(name)
    quick = ["training.epochs=1", "training.max_steps=2", "training.trackers=[]", "training.keep_best=false"]
    measured = run_table(table, None, tmp_path, tiny=True, settings=quick, show=False)
    for one in measured:
        assert len(one.seeds) == (1 if table.runs(one.row) else 0)
        assert set(one.against) == (set() if one.row.name == table.reference else {s.name for s in table.runs(one.row)})
