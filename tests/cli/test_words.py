"""What a trained captioner's word vectors encode (`chiasm words`), and the rare words that it uses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from chiasm.training.bundle import Bundle
from chiasm.training.data import world_folder
from chiasm.training.recipe import Recipe, load_recipe
from chiasm.training.run import train
from tests.cli.untrained import untrained

Captured = pytest.CaptureFixture[str]
WRITING = ("caption_up_down", "caption_tell", "caption_attend", "multi30k_de_en", "conv_translation")


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


@pytest.fixture(scope="module")
def lines(captioner: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first words that a captioner knows, one more often than the next."""
    words = Bundle.load(captioner).task.vocabulary.words[4:12]  # type: ignore[attr-defined]
    file = tmp_path_factory.mktemp("lines") / "sentences.txt"
    file.write_text("".join(f"{' '.join(words[:k])}\n" for k in range(1, 9)))
    return file


@pytest.mark.parametrize("name", WRITING)
def test_every_model_that_writes_is_measured(chiasm: Callable[..., int], name: str, tmp_path: Path) -> None:
    bundle = untrained(load_recipe(name).tiny(), tmp_path / "bundle")
    words = Bundle.load(bundle).task.vocabulary.words[4:12]  # type: ignore[attr-defined]
    file = tmp_path / "sentences.txt"
    file.write_text("".join(f"{' '.join(words[:k])}\n" for k in range(1, 9)))
    assert chiasm("words", bundle, "--training", file, "--out", tmp_path / "out") == 0
    found = json.loads((tmp_path / "out" / "words.json").read_text())
    assert {name: measured["frequency"]["n"] for name, measured in found.items()} == {"target": 8, "input": 8}


def test_several_models_stand_in_one_figure_and_one_table(
    chiasm: Callable[..., int], tell: Recipe, captioner: Path, lines: Path, tmp_path: Path, capsys: Captured
) -> None:
    fixed = untrained(tell.with_settings(["options.targets='fixed'"]), tmp_path / "fixed" / "bundle")
    assert chiasm("words", captioner, fixed, "--training", lines, "--out", tmp_path / "out") == 0
    found = json.loads((tmp_path / "out" / "words.json").read_text())
    assert {name: list(tables) for name, tables in found.items()} == {
        "run": ["target", "input"],
        "fixed": ["target", "input"],
    }
    assert "fixed, target" in capsys.readouterr().out
    same_names = tmp_path / "fixed" / "run"
    shutil.copytree(fixed, same_names / "bundle")
    assert chiasm("words", captioner, same_names / "bundle", "--training", lines, "--out", tmp_path / "out") == 0
    found = json.loads((tmp_path / "out" / "words.json").read_text())
    assert list(found) == [str(captioner), str(same_names / "bundle")]


def test_models_of_different_words_do_not_share_a_figure(
    chiasm: Callable[..., int], captioner: Path, lines: Path, tmp_path: Path, capsys: Captured
) -> None:
    other = untrained(load_recipe("multi30k_de_en").tiny(), tmp_path / "other")
    assert chiasm("words", captioner, other, "--training", lines, "--out", tmp_path / "out") == 1
    assert "do not write the same words" in capsys.readouterr().err


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
