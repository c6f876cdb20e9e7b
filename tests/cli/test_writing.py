"""The verbs that write: captions of pictures, translations of sentences, and why."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from chiasm.metrics import translation
from chiasm.training.bundle import Bundle
from chiasm.training.data import world_folder
from chiasm.training.recipe import load_recipe
from tests.cli.untrained import untrained

Chiasm = Callable[..., int]
Captured = pytest.CaptureFixture[str]


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
    shown = capsys.readouterr().out.splitlines()
    assert [line for line in shown[:10] if "%" not in line] == [shown[0], shown[5]] == [str(p) for p in pictures]
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


def test_words_that_must_be_said_are_cut_as_the_models_are(
    chiasm: Chiasm, translator: Path, captioner: Path, pictures: list[Path], tmp_path: Path, capsys: Captured
) -> None:
    out = tmp_path / "out.jsonl"
    assert chiasm("caption", captioner, pictures[0], "--begin", "There is, GRASS!", "--out", out) == 0
    assert str(lines(out)[0]["answer"]).split()[:3] == ["there", "is", "grass"]
    known = Bundle.load(translator).task.vocabulary.words[4]  # type: ignore[attr-defined]
    assert chiasm("translate", translator, "eins", "--say", f"{known} blorb-x", "--out", out) == 2
    assert "does not know the word 'blorb-x'" in capsys.readouterr().err
    assert chiasm("caption", captioner, pictures[0], "--say", "!?", "--out", out) == 2
    assert "there is no word in '!?'" in capsys.readouterr().err


def test_more_sentences_than_the_bundles_beam_make_it_wider(
    chiasm: Chiasm, captioner: Path, pictures: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "captions.jsonl"
    for words, found in [((), 5), (("--groups", 3), 5), (("--nucleus", 0.9), 5), (("--beams", 3), 3)]:
        assert chiasm("caption", captioner, pictures[0], "--top-k", 5, *words, "--out", out) == 0
        assert len(lines(out)[0]["alternatives"]) == found  # type: ignore[arg-type]


def test_sampling_depends_on_its_seed(chiasm: Chiasm, captioner: Path, pictures: list[Path], tmp_path: Path) -> None:
    said = []
    for seed in (0, 0, 1):
        out = tmp_path / f"{len(said)}.jsonl"
        assert chiasm("caption", captioner, pictures[0], "--nucleus", 0.9, "--seed", seed, "--out", out) == 0
        said.append(lines(out)[0]["answer"])
    assert said[0] == said[1] != said[2]


def test_options_that_would_have_no_effect_are_refused(
    chiasm: Chiasm, captioner: Path, pictures: list[Path], tmp_path: Path, capsys: Captured
) -> None:
    out = tmp_path / "captions.jsonl"
    for words, told in [
        (("--nucleus", 0.9, "--groups", 3), "--groups is of a beam search"),
        (("--seed", 5), "--seed is of words that are drawn"),
    ]:
        assert chiasm("caption", captioner, pictures[0], *words, "--out", out) == 2
        assert told in " ".join(capsys.readouterr().err.split())
    assert not out.exists()


def test_translations_are_printed_and_written(
    chiasm: Chiasm, translator: Path, tmp_path: Path, capsys: Captured
) -> None:
    file, out = tmp_path / "given.txt", tmp_path / "out.jsonl"
    file.write_text("eins zwei\n\ndrei\n")
    assert chiasm("translate", translator, "--file", file, "--out", out) == 0
    assert [line["id"] for line in lines(out)] == ["1", "3"]  # the lines of the file
    assert chiasm("translate", translator, "eins", "zwei", "--out", out) == 0
    assert len(lines(out)) == 2
    capsys.readouterr()
    assert chiasm("translate", translator) == 2
    assert "give either sentences" in capsys.readouterr().err


def test_how_bleu_is_counted_is_shown_and_written(
    chiasm: Chiasm, translator: Path, tmp_path: Path, capsys: Captured
) -> None:
    assert chiasm("evaluate", translator, "--out", tmp_path / "measured.json") == 0
    signature = f"sacrebleu {translation.signature()}"
    assert f"bleu: {signature}\n" in capsys.readouterr().out
    assert json.loads((tmp_path / "measured.json").read_text())["notes"] == {"bleu": signature}


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
