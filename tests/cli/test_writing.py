"""The verbs that write: captions of pictures, translations of sentences, and why."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from chiasm.training.bundle import Bundle, build_model
from chiasm.training.data import BadRowPolicy, prepare, read_splits, world_folder
from chiasm.training.recipe import Recipe, load_recipe

Chiasm = Callable[..., int]
Captured = pytest.CaptureFixture[str]


def untrained(recipe: Recipe, folder: Path) -> Path:
    """A bundle of a model that was never trained: it writes, and badly."""
    policy = BadRowPolicy()
    prepared = prepare(recipe, read_splits(recipe, None, policy, show=False), policy)
    torch.manual_seed(0)
    model = build_model(recipe, prepared.facts, prepared.task).eval()
    return Bundle(model, prepared.task, prepared.preprocessors, recipe).save(folder)


@pytest.fixture(scope="module")
def captioner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained(load_recipe("caption_planted").tiny(), tmp_path_factory.mktemp("captioner") / "bundle")


@pytest.fixture(scope="module")
def translator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained(load_recipe("multi30k_de_en").tiny(), tmp_path_factory.mktemp("translator") / "bundle")


@pytest.fixture(scope="module")
def pictures() -> list[Path]:
    return sorted((world_folder(load_recipe("caption_planted").tiny(), show=False) / "images").glob("*.png"))[:2]


def lines(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_captions_are_printed_and_written(
    chiasm: Chiasm, captioner: Path, pictures: list[Path], tmp_path: Path, capsys: Captured
) -> None:
    out = tmp_path / "captions.jsonl"
    words = ("caption", captioner, *pictures, "--beams", 4, "--groups", 2, "--top-k", 4, "--out", out)
    assert chiasm(*words) == 0
    assert capsys.readouterr().out.count("%") == 8
    found = lines(out)
    assert [line["id"] for line in found] == [str(picture) for picture in pictures]
    assert len(found[0]["alternatives"]) == 4  # type: ignore[arg-type]


def test_required_words_and_beginnings_are_written(
    chiasm: Chiasm, captioner: Path, pictures: list[Path], tmp_path: Path, capsys: Captured
) -> None:
    out = tmp_path / "captions.jsonl"
    words = ("caption", captioner, pictures[0], "--say", "grass", "--begin", "There is", "--out", out)
    assert chiasm(*words) == 0
    said = str(lines(out)[0]["answer"]).split()
    assert said[:2] == ["there", "is"]
    assert "grass" in said
    assert chiasm("caption", captioner, pictures[0], "--say", "zeppelin") == 2
    assert "does not know the word 'zeppelin'" in capsys.readouterr().err


def test_sampling_depends_on_its_seed(chiasm: Chiasm, captioner: Path, pictures: list[Path], tmp_path: Path) -> None:
    said = []
    for seed in (0, 0, 1):
        out = tmp_path / f"{len(said)}.jsonl"
        assert chiasm("caption", captioner, pictures[0], "--nucleus", 0.9, "--seed", seed, "--out", out) == 0
        said.append(lines(out)[0]["answer"])
    assert said[0] == said[1] != said[2]


def test_translations_are_printed_and_written(
    chiasm: Chiasm, translator: Path, tmp_path: Path, capsys: Captured
) -> None:
    file, out = tmp_path / "given.txt", tmp_path / "out.jsonl"
    file.write_text("eins zwei\n\ndrei\n")
    assert chiasm("translate", translator, "--file", file, "--out", out) == 0
    assert [line["id"] for line in lines(out)] == ["1", "2"]
    assert chiasm("translate", translator, "eins", "zwei", "--out", out) == 0
    assert len(lines(out)) == 2
    capsys.readouterr()
    assert chiasm("translate", translator) == 2
    assert "give either sentences" in capsys.readouterr().err


def test_a_model_that_writes_nothing_is_refused(chiasm: Chiasm, trained: Path, capsys: Captured) -> None:
    assert chiasm("translate", trained / "bundle", "is it?") == 2
    assert "writes no sentences" in capsys.readouterr().err


def test_predict_and_explain_serve_captions_too(
    chiasm: Chiasm, captioner: Path, pictures: list[Path], tmp_path: Path
) -> None:
    assert chiasm("predict", captioner, "--image", pictures[0], "--out", tmp_path / "p.jsonl") == 0
    (line,) = lines(tmp_path / "p.jsonl")
    page = tmp_path / "why.html"
    assert chiasm("explain", captioner, "--image", pictures[0], "--out", page, "--method", "gradient_input") == 0
    (why,) = json.loads(page.with_suffix(".json").read_text())
    assert why["answer"] == line["answer"]
    (looks,) = why["attention"]
    words = line["heads"]["words"]  # type: ignore[index]
    assert len(looks["mean"][0]) == len(words)
    (shaded,) = why["attributions"]
    assert shaded["faithfulness"][0]["stream"] == "regions"
    assert 0 < shaded["faithfulness"][0]["most_relevant_first"][0] < 1
    assert words[0] in page.read_text()


def test_explain_serves_translations_too(chiasm: Chiasm, translator: Path, tmp_path: Path) -> None:
    page = tmp_path / "why.html"
    words = ("explain", translator, "--text", "eins zwei drei", "--out", page, "--method", "integrated_gradients")
    assert chiasm(*words) == 0
    (why,) = json.loads(page.with_suffix(".json").read_text())
    assert why["tokens"][0] == "[CLS]"
    assert len(why["attention"][0]["mean"][0][0]) == len(why["tokens"])
    assert why["attributions"][0]["faithfulness"][0]["stream"] == "text"
