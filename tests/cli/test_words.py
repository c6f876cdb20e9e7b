"""What a trained captioner's word vectors encode (`chiasm words`), and the rare words that it uses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from chiasm.training.data import world_folder
from chiasm.training.recipe import Recipe, load_recipe
from chiasm.training.run import train


@pytest.fixture(scope="module")
def tell() -> Recipe:
    return load_recipe("caption_tell").tiny().with_settings(["training.epochs=1"])


@pytest.fixture(scope="module")
def captioner(tell: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of a captioner that was hardly trained."""
    folder = tmp_path_factory.mktemp("captioner") / "run"
    train(tell, out=folder, show=False)
    return folder / "bundle"


def test_both_tables_of_vectors_are_measured_against_frequencies_and_judgements(
    chiasm: Callable[..., int], captioner: Path, tmp_path: Path
) -> None:
    (tmp_path / "sentences.txt").write_text("a red cube\na red ball on the grass\nthe blue cube\na zebra\n")
    (tmp_path / "judged.txt").write_text(
        "cube\tball\t9\nred\tblue\t8\ncube\tgrass\t2\nzebra\tcube\t1\nred\tcube\t1.5\n"
    )
    given = ("--training", tmp_path / "sentences.txt", "--pairs", tmp_path / "judged.txt", "--out", tmp_path / "out")
    assert chiasm("words", captioner, *given) == 0
    found = json.loads((tmp_path / "out" / "words.json").read_text())
    assert list(found) == ["target", "input"]
    for measured in found.values():
        assert measured["frequency"]["n"] == 8  # all words but zebra, which the world has not
        assert measured["judged"]["pairs"] == 5
        assert measured["judged"]["covered"] == 4
    assert (tmp_path / "out" / "magnitudes.png").stat().st_size > 1000


def test_the_rare_words_of_a_bundle_stand_beside_those_of_people(
    chiasm: Callable[..., int], captioner: Path, tell: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = world_folder(tell)
    assert chiasm("evaluate", captioner, "--split", "test", "--submission", tmp_path / "model.json") == 0
    test, training = (next(world.rglob(f"captions_{split}.json")) for split in ("test", "train"))
    first = {str(one["image_id"]): one["caption"] for one in reversed(json.loads(test.read_text())["annotations"])}
    (tmp_path / "people.json").write_text(json.dumps(first))
    given = ("--training", training, "--at-most", 5, "--out", tmp_path / "out")
    capsys.readouterr()
    assert chiasm("captions", "compare", tmp_path / "model.json", tmp_path / "people.json", *given) == 0
    model, _, people = capsys.readouterr().out.partition("people")
    assert "rare_used" in model
    assert "rare_used" in people
    assert (tmp_path / "out" / "side_by_side.png").stat().st_size > 1000


def test_a_model_that_writes_nothing_is_refused_in_one_line(
    chiasm: Callable[..., int], trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sentences.txt").write_text("a red cube\n")
    assert chiasm("words", trained / "bundle", "--training", tmp_path / "sentences.txt", "--out", tmp_path) == 1
    assert "which writes no words" in capsys.readouterr().err
