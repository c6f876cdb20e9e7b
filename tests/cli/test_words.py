"""`chiasm words`: what a trained captioner's word vectors encode."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from chiasm.training.recipe import load_recipe
from chiasm.training.run import train


def test_both_tables_of_vectors_are_measured_against_frequencies_and_judgements(
    chiasm: Callable[..., int], tmp_path: Path
) -> None:
    recipe = load_recipe("caption_tell").tiny().with_settings(["training.epochs=1"])
    train(recipe, out=tmp_path / "run", show=False)
    (tmp_path / "sentences.txt").write_text("a red cube\na red ball on the grass\nthe blue cube\na zebra\n")
    (tmp_path / "judged.txt").write_text(
        "cube\tball\t9\nred\tblue\t8\ncube\tgrass\t2\nzebra\tcube\t1\nred\tcube\t1.5\n"
    )
    given = ("--training", tmp_path / "sentences.txt", "--pairs", tmp_path / "judged.txt", "--out", tmp_path / "out")
    assert chiasm("words", tmp_path / "run" / "bundle", *given) == 0
    found = json.loads((tmp_path / "out" / "words.json").read_text())
    assert list(found) == ["target", "input"]
    for measured in found.values():
        assert measured["frequency"]["n"] == 8  # all words but zebra, which the world has not
        assert measured["judged"]["pairs"] == 5
        assert measured["judged"]["covered"] == 4
    assert (tmp_path / "out" / "magnitudes.png").stat().st_size > 1000


def test_a_model_that_writes_nothing_is_refused_in_one_line(
    chiasm: Callable[..., int], trained: Path, tmp_path: Path, capsys: object
) -> None:
    (tmp_path / "sentences.txt").write_text("a red cube\n")
    assert chiasm("words", trained / "bundle", "--training", tmp_path / "sentences.txt", "--out", tmp_path) == 1
    assert "which writes no words" in capsys.readouterr().err  # type: ignore[attr-defined]
