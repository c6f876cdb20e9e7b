"""Own images on the command line: a store extracted, shown, exported, imported, trained on and asked; data checked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chiasm.data.example import Example
from chiasm.data.features import FeatureStore
from chiasm.data.regions import Preprocess
from chiasm.serve.predictor import PredictionError, Predictor
from chiasm.training.bundle import Bundle

from ..data import published

Chiasm = Callable[..., int]
Captured = pytest.CaptureFixture[str]


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.fixture(scope="module")
def store(world: Path, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The regions of the world's pictures, by the extractor of the trained model."""
    from chiasm.data.extraction import extract
    from chiasm.data.image_files import find_images

    recipe = Bundle.load(trained / "bundle").recipe
    regions = recipe.streams["regions"]
    folder = tmp_path_factory.mktemp("stores") / "pixels"
    images, _ = find_images(world / "images")
    extract(images, folder, regions["extractor"], regions.get("extractor_options"), dtype="float32")
    return folder


def test_a_store_is_extracted_shown_exported_and_imported(
    chiasm: Chiasm, world: Path, tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / "images").mkdir()
    for image in sorted((world / "images").glob("*.png"))[:3]:
        (tmp_path / "images" / image.name).write_bytes(image.read_bytes())
    (tmp_path / "images" / "broken.png").write_text("")
    (tmp_path / "images" / "notes.txt").write_text("")
    out = tmp_path / "store"
    words = ("--extractor", "grid", "--option", "rows=2", "--option", "columns=3", "--out", out)
    assert chiasm("features", "extract", tmp_path / "images", *words) == 0
    said = capsys.readouterr().out
    assert "left out: image" in said
    assert "3 of 4 images; 1 left out, 1 files are no images" in said
    assert "3 images, 18 regions, 6 an image, 768 numbers each (float16)" in said
    assert "made by grid 2" in said
    assert chiasm("features", "show", out) == 0
    assert "1 images could not be read" in capsys.readouterr().out
    (tmp_path / "images" / "broken.png").unlink()
    words = ("--images", tmp_path / "images", "--out", tmp_path / "all.tsv")
    assert chiasm("features", "export", out, "--format", "tsv", *words) == 0
    words = ("--format", "tsv", "--made-by", "grid", "--version", "2", "--out", tmp_path / "again")
    assert chiasm("features", "import", tmp_path / "all.tsv", *words) == 0
    first, second = FeatureStore(out), FeatureStore(tmp_path / "again")
    assert first.ids.tolist() == second.ids.tolist()
    np.testing.assert_array_equal(first.flat.features, second.flat.features)


def test_wrong_words_are_wrong_usage(chiasm: Chiasm, tmp_path: Path, world: Path, capsys: Captured) -> None:
    assert chiasm("features", "extract", world / "images", "--option", "rows", "--out", tmp_path / "s") == 2
    words = ("--extractor", "grid", "--option", "row=3", "--out", tmp_path / "s")
    assert chiasm("features", "extract", world / "images", *words) == 2
    assert "did you mean 'rows'" in capsys.readouterr().err
    assert chiasm("features", "extract", tmp_path / "none", "--out", tmp_path / "s") == 1
    assert "does not exist" in capsys.readouterr().err


def test_a_detector_makes_a_store_and_graphs_of_it(
    chiasm: Chiasm, world: Path, tmp_path: Path, capsys: Captured
) -> None:
    model, images = published.detr(tmp_path / "detr"), tmp_path / "images"
    images.mkdir()
    for image in sorted((world / "images").glob("*.png"))[:2]:
        (images / image.name).write_bytes(image.read_bytes())
    words = ("--extractor", model, "--regions", "4", "--out", tmp_path / "store")
    assert chiasm("features", "extract", images, *words) == 0
    assert "made by detector detr 1" in capsys.readouterr().out
    words = ("--threshold", "0", "--out", tmp_path / "graphs.json")
    assert chiasm("features", "graphs", tmp_path / "store", images, *words) == 0
    graphs = json.loads((tmp_path / "graphs.json").read_text())
    assert len(graphs) == 2
    assert all(len(graph["objects"]) == 4 for graph in graphs.values())


def test_answers_from_a_store_are_those_from_the_pictures(
    chiasm: Chiasm, trained: Path, world: Path, store: Path, tmp_path: Path
) -> None:
    rows = tmp_path / "rows.jsonl"
    images = sorted((world / "images").glob("*.png"))[:4]
    texts = ("is there a red cube?", "what color is the cup?", "is the box red or blue?", "is it raining?")
    asked = [{"image": str(i), "text": text, "id": i.stem} for i, text in zip(images, texts, strict=True)]
    rows.write_text("\n".join(map(json.dumps, asked)))
    for name, words in (("pictures", ()), ("store", ("--store", store))):
        out = tmp_path / f"{name}.jsonl"
        assert chiasm("predict", trained / "bundle", "--rows", rows, *words, "--out", out) == 0
    first, second = lines(tmp_path / "pictures.jsonl"), lines(tmp_path / "store.jsonl")
    assert [line["id"] for line in first] == [image.stem for image in images]
    for one, other in zip(first, second, strict=True):
        assert one["answer"] == other["answer"]
        assert one["probability"] == pytest.approx(other["probability"], abs=1e-5)


def test_evaluate_reads_a_store_of_the_same_extractor_only(
    chiasm: Chiasm, trained: Path, world: Path, store: Path, tmp_path: Path, capsys: Captured
) -> None:
    words = ("evaluate", trained / "bundle", "--data", world, "--split", "val", "--out", tmp_path / "e.json")
    other = tmp_path / "grid"
    (tmp_path / "one").mkdir()
    image = next((world / "images").glob("*.png"))
    (tmp_path / "one" / image.name).write_bytes(image.read_bytes())
    assert chiasm("features", "extract", tmp_path / "one", "--extractor", "grid", "--out", other) == 0
    assert chiasm(*words, "--store", other) == 1
    said = capsys.readouterr().err
    assert "were made by grid 2" in said
    assert "is expected (differs: name" in said
    assert chiasm(*words, "--store", store) == 0
    assert json.loads((tmp_path / "e.json").read_text())["examples"] > 0


def test_a_model_of_words_alone_has_no_use_for_a_store(trained: Path, store: Path) -> None:
    from chiasm.data.example import DataError

    loaded = Bundle.load(trained / "bundle")
    words = Bundle(loaded.model, loaded.task, {"text": loaded.preprocessors["text"]}, loaded.recipe)
    with pytest.raises(DataError, match="reads text: it has no use for a feature store"):
        words.use_store(store)


def test_evidence_is_written_with_each_answer_and_errors_keep_their_place(
    chiasm: Chiasm, trained: Path, picture: Path, tmp_path: Path
) -> None:
    rows, out = tmp_path / "rows.csv", tmp_path / "answers.jsonl"
    rows.write_text(f"image,text\n{picture},is it red?\nabsent.png,is it red?\n{picture},is it blue?\n")
    words = ("--rows", rows, "--on-error", "skip", "--evidence", "--out", out)
    assert chiasm("predict", trained / "bundle", *words) == 0
    first, second, third = lines(out)
    assert "absent.png" in second["error"]
    for line, text in ((first, "is it red?"), (third, "is it blue?")):
        assert line["evidence"]["text"] == text
        assert line["evidence"]["attributions"][0]["faithfulness"]
        assert {"answer", "probability", "alternatives"} <= set(line)


def test_rows_are_explained_one_by_one_and_a_bad_one_is_told(trained: Path, picture: Path) -> None:
    predictor = Predictor.load(trained / "bundle")
    rows = [{"image": str(picture), "text": "is it red?"}, {"image": str(picture)}]
    given = predictor.explain_rows(iter(rows), on_error="skip", methods=["gradient_input"])
    first, second = given
    assert first.text == "is it red?"  # type: ignore[union-attr]
    assert isinstance(second, PredictionError)
    assert "no 'text'" in second.reason


def test_a_bundle_trained_on_a_store_takes_its_detector_along(world: Path, tmp_path: Path) -> None:
    """Raw pictures in, on a machine that has neither the store nor the detector's folder."""
    from chiasm.data.extraction import extract

    model = published.detr(tmp_path / "detr")
    images = {image.stem: str(image) for image in sorted((world / "images").glob("*.png"))[:2]}
    extract(images, tmp_path / "store", "detector", {"model": str(model), "regions": 4}, dtype="float32")
    (tmp_path / "saved").mkdir()
    Preprocess(store=str(tmp_path / "store")).save(tmp_path / "saved")
    assert str(tmp_path) not in (tmp_path / "saved" / "preprocess.json").read_text()
    model.rename(tmp_path / "gone")
    (tmp_path / "saved").rename(tmp_path / "moved")
    again = Preprocess.load(tmp_path / "moved")
    import torch

    name, value = next(iter(images.items()))
    found = again.encode([Example("1", {"images": (value,)})]).gather(torch.tensor([0]))
    kept = FeatureStore(tmp_path / "store")
    expected = kept.gather(kept.rows([name]))
    torch.testing.assert_close(found.features, expected.features, atol=1e-5, rtol=0)
    assert torch.equal(found.labels, expected.labels)  # type: ignore[arg-type]


def test_a_store_whose_detector_is_gone_is_told_when_the_bundle_is_made(tmp_path: Path) -> None:
    from chiasm.data.extractors import ExtractorIdentity
    from chiasm.data.store_writer import StoreWriter

    with StoreWriter(tmp_path / "store", ExtractorIdentity("detector x", "1", "-", 2)) as writer:
        writer.append("a", np.zeros((1, 2)), [[0, 0, 1, 1]])
        writer.about["made_by"] = {"extractor": "grid", "options": {"rows": 0}}
    (tmp_path / "saved").mkdir()
    with pytest.warns(UserWarning, match="the model will need a feature store for new images"):
        Preprocess(store=str(tmp_path / "store")).save(tmp_path / "saved")
    assert Preprocess.load(tmp_path / "saved").facts == {"feature_size": 2}


def test_altered_bytes_of_a_store_are_told_when_it_is_checked(chiasm: Chiasm, tmp_path: Path, capsys: Captured) -> None:
    from chiasm.data.extractors import ExtractorIdentity
    from chiasm.data.store_writer import StoreWriter

    with StoreWriter(tmp_path / "store", ExtractorIdentity("detector x", "1", "-", 2)) as writer:
        writer.append("a", np.zeros((1, 2)), [[0, 0, 1, 1]])
    assert chiasm("features", "show", tmp_path / "store", "--check") == 0
    assert "its bytes are those that were written" in capsys.readouterr().out
    file = tmp_path / "store" / "features.npy"
    file.write_bytes(file.read_bytes()[:-4] + np.float32(np.nan).tobytes())
    assert chiasm("features", "show", tmp_path / "store", "--check") == 1
    assert "features.npy was altered or damaged" in capsys.readouterr().err


def test_data_is_checked_on_the_command_line(chiasm: Chiasm, world: Path, tmp_path: Path, capsys: Captured) -> None:
    assert chiasm("data", "check", world, "--out", tmp_path / "check.html") == 0
    said = capsys.readouterr().out
    assert said.startswith("gqa:\n  train: ")
    assert "recipes that can be trained: " in said
    assert "<!doctype html>" in (tmp_path / "check.html").read_text()
    assert json.loads((tmp_path / "check.json").read_text())["found"][0]["source"] == "gqa"
    (tmp_path / "none").mkdir()
    assert chiasm("data", "check", tmp_path / "none", "--out", tmp_path / "none.html") == 0
    assert "nothing in it is known" in capsys.readouterr().out


def test_what_would_be_learnt_is_shown(chiasm: Chiasm, world: Path, tmp_path: Path, capsys: Captured) -> None:
    assert chiasm("data", "preview", "demo", "--data", world, "--rows", 2, "--out", tmp_path / "preview.json") == 0
    said = capsys.readouterr().out
    assert "train: " in said
    assert "rows have an answer that is learnt" in said
    assert "further answers)" in said
    record = json.loads((tmp_path / "preview.json").read_text())
    assert record[0]["split"] == "train"
    assert record[0]["table"][0]["answer"] in said
    assert chiasm("data", "preview", "demmo") == 2


def test_sources_are_listed_with_their_files(chiasm: Chiasm, capsys: Captured) -> None:
    assert chiasm("data", "sources") == 0
    assert "gqa: GQA (Hudson and Manning" in capsys.readouterr().out
    assert chiasm("data", "sources", "nlvr") == 0
    assert "images/<identifier>-img0.png" in capsys.readouterr().out
    assert chiasm("data", "sources", "gqaa") == 2
    assert "did you mean 'gqa'" in capsys.readouterr().err
