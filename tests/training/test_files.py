"""Folders and files that are there complete or not at all, and JSON that every program reads."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

from chiasm.metrics.estimate import Estimate, share
from chiasm.training.files import file_aside, write_json, written_aside


def test_a_folder_appears_complete_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    with written_aside(target) as aside:
        (aside / "file").write_text("one", encoding="utf-8")
        assert not target.exists()

    def fail() -> None:
        with written_aside(target) as aside:
            (aside / "file").write_text("two", encoding="utf-8")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert (target / "file").read_text(encoding="utf-8") == "one"
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_folder_left_between_two_renamings_is_put_back(tmp_path: Path) -> None:
    (tmp_path / "folder.old").mkdir()
    (tmp_path / "folder.old" / "file").write_text("one", encoding="utf-8")

    def fail() -> None:
        with written_aside(tmp_path / "folder"):
            raise OSError

    with pytest.raises(OSError):  # noqa: PT011 - the one raised above
        fail()
    assert (tmp_path / "folder" / "file").read_text(encoding="utf-8") == "one"


def test_json_is_replaced_in_one_piece(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"a": 1})
    with pytest.raises(TypeError, match="object cannot be written as JSON"):
        write_json(tmp_path / "a.json", {"a": object()})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"a": 1}


def test_an_undefined_estimate_is_null_in_a_file_and_undefined_again_when_it_is_read(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"auc": share(0, 0), "other": [np.float64("inf"), np.int64(3)]})
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert "NaN" not in text
    assert json.loads(text)["other"] == [None, 3]
    assert math.isnan(Estimate.from_json(json.loads(text)["auc"]).value)


def test_a_file_is_replaced_when_all_of_it_is_written(tmp_path: Path) -> None:
    target = tmp_path / "new" / "answers.csv"
    with file_aside(target) as aside:
        assert aside.suffix == ".csv"  # the ending says in which form to write
        aside.write_text("one", encoding="utf-8")

    def fail() -> None:
        with file_aside(target) as aside:
            aside.write_text("two", encoding="utf-8")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert target.read_text(encoding="utf-8") == "one"
    assert [path.name for path in target.parent.iterdir()] == ["answers.csv"]


def test_what_is_no_plain_file_is_written_itself_and_a_link_stays_one(tmp_path: Path) -> None:
    with file_aside(Path(os.devnull)) as aside:
        assert aside == Path(os.devnull)
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with file_aside(tmp_path / "link") as aside:
        aside.write_text("one", encoding="utf-8")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text(encoding="utf-8") == "one"
