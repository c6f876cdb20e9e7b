"""CMR's recipes and tables: published settings and numbers, rows that load, transfer from NLVR2 to VQA."""

from __future__ import annotations

from functools import wraps
from pathlib import Path

import pytest
import torch

from chiasm.recipes.tables import table_names
from chiasm.training.checkpoint import module_tensors
from chiasm.training.curves import EPOCHS_TO_BEST
from chiasm.training.recipe import load_recipe
from chiasm.training.run import RunResult, train
from chiasm.training.table_file import load_table
from chiasm.training.table_text import table_lines
from chiasm.training.tables import run_table

PUBLISHED = {  # dev, test-P (sheet, section 5)
    "cmr/1": {
        "N2NMN": (51.0, 51.1), "MAC-Network": (50.8, 51.4), "FiLM": (51.0, 52.1), "CNN+RNN": (53.4, 52.4),
        "VisualBERT": (67.4, 67.0), "LXMERT": (74.9, 74.5), "CMR": (75.4, 75.3),
    },
    "cmr/3": {"12/3/3": (74.1, 74.4), "12/4/4": (74.9, 74.7), "12/5/5": (75.4, 75.3), "12/6/6": (75.5, 75.1)},
    "cmr/4": {
        "CMR": (75.4, 75.3), "no_single_modality": (68.2, 68.5), "no_cross_modality": (59.7, 59.1),
        "no_entity_relevance": (70.6, 71.2), "no_relational_relevance": (73.0, 73.4),
    },
}  # fmt: skip
NAMES = [name for name in table_names() if name.startswith("cmr/")]
QUICK = ["training.epochs=1", "training.max_steps=2", "training.trackers=[]", "training.keep_best=false"]


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_row_is_there_with_its_numbers(name: str) -> None:
    rows = {row.name: row.paper for row in load_table(name).rows}
    assert set(rows) == set(PUBLISHED[name])
    for row, numbers in PUBLISHED[name].items():
        printed = [100 * rows[row][column] for column in ("validation:accuracy", "accuracy")]
        assert printed == pytest.approx(list(numbers))


def test_the_second_table_has_the_numbers_of_the_sheet() -> None:
    rows = {row.name: row.paper for row in load_table("cmr/2").rows}
    assert len(rows) == 8
    assert [100 * value for value in rows["CMR"].values()] == pytest.approx([72.58, 88.14, 54.71, 63.16, 72.60])
    assert [100 * value for value in rows["LXMERT"].values()] == pytest.approx([72.5, 87.97, 54.94, 63.13, 72.54])
    assert [100 * value for value in rows["BAN"].values()] == pytest.approx([71.4, 87.22, 54.37, 62.45, 71.84])
    assert [100 * value for value in rows["ViLBERT"].values()] == pytest.approx([70.55, 70.92])


@pytest.mark.parametrize("name", NAMES)
def test_every_row_and_stage_is_a_recipe_with_changes_that_exist(name: str) -> None:
    table = load_table(name)
    assert table.reference in {row.name for row in table.rows}
    for row in table.rows:
        for run in [*table.runs(row), *table.before(row.after)]:
            recipe = load_recipe(run.recipe).with_settings(run.settings)
            assert recipe.tiny().data.world is not None


@pytest.mark.parametrize(("name", "epochs"), [("cmr_nlvr2", 20), ("cmr_vqa", 20), ("cmr_vqa_from_nlvr2", 6)])
def test_training_is_as_published(name: str, epochs: int) -> None:
    """Paper, section 4.2; BERT frozen, and read once."""
    recipe = load_recipe(name)
    training = recipe.training
    assert (training.epochs, training.batch_size, training.lr, training.clip_norm) == (epochs, 32, 1e-4, 1.0)
    assert (training.optimizer, training.weight_decay, training.procedure) == ("bert_adam", 0.01, "cached_vectors")
    assert "freeze_text" not in recipe.options  # the default: frozen


def test_the_two_ways_to_vqa_differ_in_what_they_begin_with_only() -> None:
    table = load_table("cmr/transfer")
    recipes = [
        load_recipe(r.recipe).with_settings(r.settings).identity() for row in table.rows for r in table.runs(row)
    ]
    (first, second), differing = recipes, {"training.start_options.parts"}
    assert {key for key in first.keys() | second.keys() if first.get(key) != second.get(key)} == differing


@pytest.fixture(scope="module")
def transferred(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunResult, RunResult, str]:
    """A model of two images, one of one image that begins with it at a rate of almost nothing, and what was said."""
    folder = tmp_path_factory.mktemp("transfer")
    before = train(load_recipe("cmr_nlvr2").tiny().with_settings(QUICK), out=folder / "nlvr2", show=False)
    bundle = folder / "nlvr2" / "bundle"
    begin = [f"training.start={bundle}", f"text.vocabulary={bundle}/preprocessing/text"]
    still = ["training.lr=1e-12", "training.weight_decay=0", "training.optimizer=adamw"]
    recipe = load_recipe("cmr_vqa_from_nlvr2").tiny().with_settings([*QUICK, *begin, *still])
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        from chiasm.training import run
        from chiasm.training.initial import start_from

        @wraps(start_from)  # its options are checked against its keywords
        def heard(*args: object, **options: object) -> str:
            said.append(start_from(*args, **options))  # type: ignore[arg-type]
            return said[-1]

        patch.setattr(run, "start_from", heard)
        after = train(recipe, out=folder / "vqa", show=False)
    return before, after, said[0]


def test_from_nlvr2_to_vqa_only_the_classifier_is_new(transferred: tuple[RunResult, RunResult, str]) -> None:
    before, after, _ = (module_tensors(run.bundle.model) if isinstance(run, RunResult) else {} for run in transferred)
    for name, tensor in after.items():
        if not name.startswith("classifier."):
            torch.testing.assert_close(tensor, before[name], atol=1e-6, rtol=0)
    assert {name.split(".")[0] for name in after} == {"encoder", "text_side", "image_side", "text_image", "classifier"}
    assert after["classifier.3.weight"].shape == before["classifier.3.weight"].shape
    assert not torch.allclose(after["classifier.3.weight"], before["classifier.3.weight"], atol=0.1)


def test_what_is_kept_left_and_new_is_said(transferred: tuple[RunResult, RunResult, str]) -> None:
    before, after, said = transferred
    assert "(new here: classifier " in said
    theirs = module_tensors(before.bundle.model)
    left = sum(name.startswith("image_image.") for name in theirs)
    head = sum(name.startswith("classifier.") for name in theirs)
    assert said.endswith(f"(new here: classifier {head}; left there: classifier {head}, image_image {left})")
    assert said.startswith(f"{len(module_tensors(after.bundle.model)) - head} tensors of ")


def test_a_table_tells_validation_beside_test_and_how_soon_it_was_learnt(tmp_path: Path) -> None:
    table = load_table("cmr/4")
    settings = ["training.epochs=2", "training.trackers=[]", "data.world.statements=6"]
    measured = run_table(table, None, tmp_path, tiny=True, only=["no_entity_relevance"], settings=settings, show=False)
    (found,) = next(one for one in measured if one.row.name == "no_entity_relevance").seeds
    assert {"accuracy", "validation:accuracy"} <= found.keys()
    epochs = found[EPOCHS_TO_BEST]
    assert epochs.value in (1, 2)
    assert not epochs.share
    heading, *lines = table_lines(table, measured, generated=True)
    assert heading[1:5] == [
        "validation:accuracy: paper", "validation:accuracy: on generated data",
        "accuracy: paper", "accuracy: on generated data",
    ]  # fmt: skip
    assert lines[3][1] == "70.60"


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_row_runs_in_its_tiny_form(name: str, tmp_path: Path) -> None:
    table = load_table(name)
    for one in run_table(table, None, tmp_path, tiny=True, settings=QUICK, show=False):
        assert len(one.seeds) == (1 if table.runs(one.row) else 0)
