"""`chiasm captions`: scores, validity, agreement with people and captions side by side, from files to files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure
from PIL import Image

from chiasm.cli import main
from chiasm.cli.captions import _image
from chiasm.explain import caption_figures
from chiasm.explain.caption_figures import Captioned

from ..data.test_caption_files import write_judgements

REFERENCES = {
    "1": ["A dog runs on grass.", "A brown dog on the grass."],
    "2": ["A cat sleeps.", "The cat sleeps on a bed."],
    "3": ["Two birds fly.", "Some birds in the sky."],
}
RESULTS = {"1": "a dog on grass", "2": "a cat on a bed", "3": "a seagull"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "references.json").write_text(json.dumps(REFERENCES))
    (tmp_path / "first.json").write_text(json.dumps(RESULTS))
    (tmp_path / "second.json").write_text(json.dumps({**RESULTS, "3": "two birds"}))
    return tmp_path


def run(*words: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["captions", *map(str, words)])
    return int(ended.value.code or 0)


def width(file: Path) -> int:
    with Image.open(file) as image:
        return image.width


def test_scores_are_shown_and_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ("--references", folder / "references.json", "--training", folder / "references.json", "--at-most", 0)
    assert run("score", folder / "first.json", *given, "--out", folder / "out") == 0
    found = json.loads((folder / "out" / "scores.json").read_text())
    assert {"bleu1", "bleu4", "rouge_l", "cider_d", "cider", "vocabulary_usage", "rare_used"} <= set(found)
    assert [name for name in found if name.startswith("meteor_exact_stem")]
    assert found["vocabulary_usage"]["value"] == 7
    assert found["rare_used"]["value"] == 1  # seagull, which training never had
    assert "cider_d" in capsys.readouterr().out


def test_captions_of_other_images_are_refused_in_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "first.json").write_text(json.dumps({"1": "a dog"}))
    assert run("score", folder / "first.json", "--references", folder / "references.json") == 1
    assert "2 of 3 images have no result" in capsys.readouterr().err


def test_validity_is_written_with_its_figure(folder: Path) -> None:
    out = folder / "out"
    assert run("validity", folder / "references.json", "--captions", 2, "--out", out) == 0
    found = json.loads((out / "validity.json").read_text())
    assert list(found) == ["1", "2", "3"]
    assert sum(found["1"]) == pytest.approx(1)
    assert width(out / "validity.png") > 100


def test_an_unknown_metric_is_wrong_usage(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("validity", folder / "references.json", "--metric", "cidre") == 2
    assert "did you mean 'cider'" in " ".join(capsys.readouterr().err.split())


def test_two_systems_stand_side_by_side(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (20, 10), "red").save(folder / "3.png")
    given = ("--training", folder / "references.json", "--at-most", 0, "--images", folder, "--out", folder / "out")
    assert run("compare", folder / "first.json", folder / "second.json", *given) == 0
    assert width(folder / "out" / "side_by_side.png") > 100
    shown = capsys.readouterr().out
    assert "first" in shown
    assert "rare_share" in shown


def test_results_are_cut_into_words_as_the_training_captions_are(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "training.json").write_text(json.dumps({"1": ["The dog's toy isn't here.", "A cat, a dog."]}))
    for name in ("first", "second"):
        (folder / f"{name}.json").write_text(json.dumps({"1": "The dog's toy isn't here.", "2": "A cat."}))
    drawn: list[str] = []
    draw = caption_figures.captions_side_by_side

    def kept(shown: Sequence[Captioned], *given: Any, **options: Any) -> Figure:
        drawn.extend(text for one in shown for text in one.captions.values())
        return draw(shown, *given, **options)

    monkeypatch.setattr(caption_figures, "captions_side_by_side", kept)
    given = ("--training", folder / "training.json", "--at-most", 0, "--out", folder / "out")
    assert run("compare", folder / "first.json", folder / "second.json", *given) == 0
    rare = [line.split()[1] for line in capsys.readouterr().out.splitlines() if line.startswith("rare_used")]
    assert rare == ["0", "0"]
    assert set(drawn) == {"the dog 's toy is n't here", "a cat"}


@pytest.mark.parametrize(
    "name", ["139.png", "000000000139.png", "COCO_val2014_000000000139.png", "COCO_test2015_000000000139.JPG"]
)
def test_the_picture_of_a_number_is_found_by_its_name_and_never_by_a_beginning(tmp_path: Path, name: str) -> None:
    for other in ("1395.png", "139_small.png", "0139.png", "COCO_val2014_000000001395.png", "139.txt"):
        Image.new("RGB", (4, 4), "red").save(tmp_path / other, format="png")
    assert _image(tmp_path, "139") is None
    Image.new("RGB", (6, 2), "blue").save(tmp_path / name, format="png")
    found = _image(tmp_path, "139")
    assert found is not None
    assert found.shape == (2, 6, 3)
    assert _image(tmp_path, name) is not None
    assert _image(tmp_path, "13") is None


def test_validity_is_written_where_no_figure_can_be_drawn(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder / "out"
    assert run("validity", folder / "references.json", "--captions", 9, "--out", out) == 1
    assert "none of the 3 images has 9 references" in capsys.readouterr().err
    assert list(json.loads((out / "validity.json").read_text())) == ["1", "2", "3"]


def test_agreement_with_people_is_measured_on_both_kinds_of_captions(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_judgements(folder)
    with (folder / "ExpertAnnotations.txt").open("a") as file:
        file.write("b.jpg\ta.jpg#1\t2\t2\t1\nb.jpg\tb.jpg#1\t4\t4\t4\n")
    assert run("people", folder, "--meteor", "--out", folder / "out") == 0
    found = json.loads((folder / "out" / "people_experts.json").read_text())
    assert found["cider_d"]["published"] == 0.439
    assert found["bleu4"]["tau"]["n"] == 6  # three grades of each of two captions that are none of the image's
    assert "validity by cider" in found
    assert "captions of the image itself" in capsys.readouterr().out


def curve_table(folder: Path) -> Path:
    """A record as `chiasm table` writes it: two methods, a baseline, two seeds, and one row that was not run."""

    def row(name: str, settings: list[str], *values: float) -> dict[str, object]:
        seeds = [{"cider_d": {"value": v, "low": v - 0.1, "high": v + 0.1, "n": 9}} for v in values]
        return {"name": name, "settings": settings, "seeds": seeds}

    rows = [
        row("alpha 0", ["task.smoothing=none"], 1.0, 1.1),
        row("VBCS + WCS 0.2", ["task.alpha=0.2"], 1.2, 1.4),
        row("VBCS + WCS 0.1", ["task.alpha=0.1"], 1.1),
        row("VBCS + WCS 0.3", ["task.alpha=0.3"]),
        row("label smoothing 0.1", ["task.smoothing=label", "task.alpha=0.1"], 0.9),
    ]
    file = folder / "table.json"
    file.write_text(json.dumps({"title": "t", "rows": rows}))
    return file


def test_a_table_over_alpha_becomes_curves_and_the_best_alpha(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("alphas", curve_table(tmp_path), "--out", tmp_path / "out") == 0
    found = json.loads((tmp_path / "out" / "alphas.json").read_text())
    assert found["best"] == {"VBCS + WCS": 0.2, "label smoothing": 0.1}
    assert found["curves"]["VBCS + WCS"]["0.2"]["value"] == pytest.approx(1.3)  # of two seeds
    assert found["baseline"]["low"] == pytest.approx(0.95)
    assert "0.3" not in found["curves"]["VBCS + WCS"]
    assert width(tmp_path / "out" / "alphas.png") > 100
    assert "best alpha: VBCS + WCS 0.2, label smoothing 0.1" in capsys.readouterr().out


def test_a_table_without_the_measure_is_refused_with_those_it_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("alphas", curve_table(tmp_path), "--metric", "bleu4", "--out", tmp_path) == 1
    assert "no row that sets task.alpha has 'bleu4'; measured is cider_d" in capsys.readouterr().err
    (tmp_path / "other.json").write_text("[1]")
    assert run("alphas", tmp_path / "other.json", "--out", tmp_path) == 1
    assert "is no table.json of `chiasm table`" in capsys.readouterr().err
