"""The tables of the two papers on writing: every row loads with its changes, and prints what the sheets print."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

import chiasm.recipes
from chiasm.report.smoothing import read_curves
from chiasm.training.recipe import load_recipe
from chiasm.training.table_file import load_table

FOLDER = Path(chiasm.recipes.__file__).parent / "tables"
TABLES = [path for name in ("caption_sampling", "fixed_targets") for path in sorted((FOLDER / name).glob("*.toml"))]


def rows(name: str) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in tomllib.loads((FOLDER / f"{name}.toml").read_text())["rows"]}


@pytest.mark.parametrize("path", TABLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_row_is_a_recipe_with_changes_that_exist(path: Path) -> None:
    table = load_table(f"{path.parent.name}/{path.stem}")
    assert table.rows
    for row in table.rows:
        if row.recipe:
            recipe = load_recipe(row.recipe).with_settings(row.settings)
            assert recipe.tiny().data.world is not None
        else:
            assert row.paper


def test_the_printed_numbers_of_caption_sampling_are_those_of_the_sheet() -> None:
    """Sheet `caption_sampling`, section 7: B1 B4 M R C S."""
    order = ("bleu1", "bleu4", "meteor", "rouge_l", "cider_d", "spice")
    first, second = (
        {name: [row["paper"][key] for key in order] for name, row in rows(f"caption_sampling/{table}").items()}
        for table in "12"
    )
    assert first == {
        "Up-Down": [76.0, 34.9, 27.3, 56.2, 111.7, 20.5],
        "+ label smoothing": [76.1, 35.2, 27.4, 56.3, 112.8, 20.6],
        "+ VBCS": [76.2, 35.2, 27.4, 56.4, 113.1, 20.7],
        "+ WCS": [76.9, 35.7, 27.4, 56.6, 113.7, 20.7],
        "+ VBCS + WCS": [77.2, 35.8, 27.5, 56.7, 114.3, 20.8],
    }
    assert second["BLEU-4"] == [77.0, 35.8, 27.2, 56.6, 111.4, 20.3]
    assert second["CIDEr"] == [76.7, 35.4, 27.4, 56.6, 112.0, 20.5]


def test_the_printed_numbers_of_fixed_targets_are_those_of_the_sheet() -> None:
    """Sheet `fixed_targets`, section 6: B4, B3, VU (times 100), R-L, ME; and BLEU-4 of translations."""
    order = ("bleu4", "bleu3", "vocabulary_usage", "rouge_l", "meteor")
    first = {name: [row["paper"][key] for key in order] for name, row in rows("fixed_targets/1").items()}
    assert first["Tell"] == [27.28, 36.59, 72100, 49.72, 23.09]
    assert first["Tell-Tied"] == [27.11, 36.23, 69900, 49.21, 22.83]
    assert first["Tell-Fixed"] == [27.01, 36.08, 137800, 49.34, 22.99]
    assert first["Attend-Fixed"] == [28.75, 37.93, 102600, 50.96, 23.91]
    both = rows("fixed_targets/2") | rows("fixed_targets/2_iwslt14")
    found = {name: row["paper"]["bleu"] for name, row in both.items()}
    printed = {
        "Multi30k DE-EN": (33.02, 33.08, 33.17),
        "Multi30k EN-DE": (31.63, 31.49, 32.12),
        "IWSLT14 DE-EN": (28.77, 28.94, 29.03),
        "IWSLT14 EN-DE": (25.48, 25.66, 25.97),
        "WMT14 EN-DE": (25.84, 25.62, 25.49),
    }
    kinds = ("trained", "tied", "fixed")
    assert found == {f"{k} {t}": v for k, values in printed.items() for t, v in zip(kinds, values, strict=True)}


@pytest.mark.parametrize("name", ["2", "figure2"])
def test_what_the_paper_chose_on_validation_is_measured_there(name: str) -> None:
    for row in rows(f"caption_sampling/{name}").values():
        assert load_recipe(row["recipe"]).with_settings(row["settings"]).data.test == ("val",)


def test_the_curves_of_the_figure_are_found_in_its_table(tmp_path: Path) -> None:
    estimate = {"value": 1.0, "low": 0.9, "high": 1.1, "n": 5}
    run = [{**row, "seeds": [{"cider_d": estimate}]} for row in rows("caption_sampling/figure2").values()]
    (tmp_path / "table.json").write_text(json.dumps({"rows": run}))
    curves = read_curves(tmp_path / "table.json", "cider_d")
    tenths = [k / 10 for k in range(10)]  # each method has its own without smoothing
    assert {name: sorted(curve) for name, curve in curves.methods.items()} == {
        "VBCS + WCS": tenths,
        "label smoothing": tenths,
    }
    assert curves.baseline is None


def test_without_smoothing_the_curves_differ_in_how_captions_are_drawn() -> None:
    table = {row.name: row for row in load_table("caption_sampling/figure2").rows}
    for method, sampling in (("VBCS + WCS", "validity"), ("label smoothing", "uniform")):
        for alpha in ("0", "0.1"):
            row = table[f"{method} {alpha}"]
            options = load_recipe(row.recipe).with_settings(row.settings).task_options
            assert (options["sampling"], options["alpha"]) == (sampling, float(alpha))


def test_iwslt14_is_trained_as_the_sheet_says() -> None:
    """Sheet `fixed_targets`, section 4: Multi30k's model and the four things that differ."""
    for row in load_table("fixed_targets/2_iwslt14").rows:
        recipe = load_recipe(row.recipe).with_settings(row.settings)
        training = recipe.training
        assert recipe.model == "gru_translation"
        assert recipe.task_options["min_count"] == 5
        assert recipe.data.options["max_words"] == 20
        assert (training.lr, training.plateau_factor, training.batch_size) == (2e-3, 0.25, 64)
        assert (training.plateau, training.early_stopping) == (8, 20)


def test_up_down_is_trained_as_the_sheet_says() -> None:
    """Sheet `caption_sampling`, section 3."""
    training = load_recipe("caption_up_down").training
    assert (training.lr, training.clip_value, training.clip_norm) == (5e-4, 0.1, 0.0)


@pytest.mark.parametrize("name", ["caption_tell", "caption_attend"])
def test_the_rate_of_the_fixed_target_captioners_falls_without_a_better_bleu(name: str) -> None:
    """Sheet `fixed_targets`, section 3: 8 and 20 epochs of five captions of each image; one of them is learnt here."""
    recipe = load_recipe(name)
    assert recipe.task_options["headline"] == "bleu4"
    assert (recipe.training.plateau, recipe.training.early_stopping) == (5 * 8, 5 * 20)
    assert recipe.training.epochs == 5 * 120  # the tutorial's at most
