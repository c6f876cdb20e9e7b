"""GQA's valid and plausible answers, from the file to the measures."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from chiasm.data.example import BadRows, DataError
from chiasm.data.sources import source
from chiasm.tasks import Prediction
from chiasm.tasks.gqa import Gqa

from .written import dump


@pytest.fixture
def folder(scenes: Path, tmp_path: Path) -> Path:
    """The generated world's validation questions, with choices: yes and no are valid, yes is plausible."""
    for part in ("questions", "sceneGraphs"):
        shutil.copytree(scenes / part, tmp_path / part)
    asked = json.loads((tmp_path / "questions" / "val_balanced_questions.json").read_text())
    allowed = {name: {"valid": ["yes", "no"], "plausible": ["yes"]} for name in asked}
    dump(tmp_path / "questions" / "val_choices.json", allowed)
    return tmp_path


def test_validity_and_plausibility_are_measured_where_the_choices_were_read(folder: Path) -> None:
    examples = source("gqa").read(folder, "val")
    assert examples == source("gqa").read(folder, "val", choices=["val"])
    said = [Prediction(e.id, "no" if place % 2 else "cube", 1.0) for place, e in enumerate(examples)]
    measures = Gqa().fit(examples).evaluate(said, examples)
    assert measures["validity"].value == pytest.approx((len(examples) // 2) / len(examples))
    assert measures["plausibility"].value == 0.0


@pytest.mark.parametrize("options", [{}, {"choices": ["val"]}])
def test_other_splits_need_no_choices(folder: Path, options: dict[str, Any]) -> None:
    shutil.copy(folder / "questions" / "val_choices.json", folder / "questions" / "train_choices.json")
    examples = source("gqa").read(folder, "train", **options)
    said = [Prediction(e.id, "yes", 1.0) for e in examples]
    assert "validity" not in Gqa().fit(examples).evaluate(said, examples)


def test_nobody_has_to_have_them(folder: Path) -> None:
    assert all("valid" not in e.info for e in source("gqa").read(folder, "val", choices=[]))
    (folder / "questions" / "val_choices.json").unlink()
    assert all("valid" not in e.info for e in source("gqa").read(folder, "val"))


def test_unbalanced_questions_need_none(folder: Path) -> None:
    """Only balanced ones are measured."""
    asked = json.loads((folder / "questions" / "val_balanced_questions.json").read_text())
    name = next(iter(asked))
    dump(folder / "questions" / "val_all_questions.json", asked | {"more": {**asked[name], "isBalanced": False}})
    examples = source("gqa").read(folder, "val", all_questions=["val"])
    said = [Prediction(e.id, "yes", 1.0) for e in examples]
    assert Gqa().fit(examples).evaluate(said, examples)["plausibility"].value == 1.0


def test_a_missing_file_and_a_missing_question_are_named(folder: Path) -> None:
    with pytest.raises(DataError, match="file with the choices of split 'train'"):
        source("gqa").read(folder, "train", choices=["train"])
    file = folder / "questions" / "val_choices.json"
    allowed = json.loads(file.read_text())
    gone = next(iter(allowed))
    dump(file, {name: entry for name, entry in allowed.items() if name != gone})
    with pytest.raises(BadRows, match=f"row {gone}: it has no valid and plausible answers in val_choices.json") as told:
        source("gqa").read(folder, "val")
    assert len(told.value.usable or ()) == len(allowed) - 1
    dump(file, {**allowed, gone: {"valid": None, "plausible": []}})
    with pytest.raises(BadRows, match=f"row {gone}: it has no valid and plausible answers"):
        source("gqa").read(folder, "val")
    dump(file, [])
    with pytest.raises(DataError, match="is no GQA choices file"):
        source("gqa").read(folder, "val")
