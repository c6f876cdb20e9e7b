"""Every source says what it reads and refuses what is of another kind."""

from __future__ import annotations

import inspect
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from chiasm.data.example import DataError
from chiasm.data.sources import source, source_names
from chiasm.registry import UnknownName

Shared = Callable[..., Path]


@pytest.mark.parametrize("name", source_names())
def test_every_source_says_what_it_reads_and_refuses_a_foreign_folder(name: str, tmp_path: Path) -> None:
    module = source(name)
    assert module.SPLITS
    assert isinstance(module.FILES, str)
    assert list(inspect.signature(module.read).parameters)[:2] == ["folder", "split"]
    (tmp_path / "letter.txt").write_text("nothing")
    with pytest.raises(DataError, match=r"letter\.txt"):
        module.read(tmp_path, module.SPLITS[0])


def test_an_unknown_source_gets_the_nearest_name() -> None:
    with pytest.raises(UnknownName, match="did you mean 'easy_vqa'"):
        source("easyvqa")


def test_one_set_is_not_taken_for_another(shared_data: Shared, tmp_path: Path) -> None:
    shutil.copy(shared_data("coco_mini") / "vqa_overlap.json", tmp_path / "questions.json")
    with pytest.raises(DataError, match="is no easy-VQA question file"):
        source("easy_vqa").read(tmp_path, "train")
    shutil.copy(shared_data("vqa_x") / "vqaX_val.json", tmp_path / "val_balanced_questions.json")
    with pytest.raises(DataError, match=r"is no GQA question file: .* lacks 'imageId'"):
        source("gqa").read(tmp_path, "val")
    with pytest.raises(DataError, match="easy_vqa has no split 'dev'"):
        source("easy_vqa").read(tmp_path, "dev")
