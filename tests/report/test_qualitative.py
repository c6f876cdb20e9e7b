"""Panels of examples: what was said and what is true, with the options where some were offered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from chiasm.data.example import DataError, Example
from chiasm.report.qualitative import panels, qualitative_page, read_predictions
from chiasm.tasks import Prediction
from chiasm.tasks.nlvr import Nlvr
from chiasm.tasks.vcr import Vcr
from chiasm.tasks.vqa import Vqa

PICTURE = Image.new("RGB", (8, 6), (200, 30, 30))


def vqa_example() -> Example:
    return Example("7", {"text": "what <color>?", "images": (PICTURE,), "answer": ["red"] * 7 + ["pink"] * 3})


def test_a_panel_says_what_was_said_and_what_is_true() -> None:
    (panel,) = panels(Vqa(), [vqa_example()], [Prediction("7", "red", 0.9)])
    assert (panel.said, panel.true, panel.score) == ("red", "red, pink", 1.0)
    assert panel.images[0].size == (8, 6)


def test_a_statement_about_two_images_shows_both() -> None:
    example = Example("dev-1-0-0", {"text": "both are red", "images": (PICTURE, PICTURE), "answer": True})
    (panel,) = panels(Nlvr(), [example], [Prediction("dev-1-0-0", False, 0.6)])
    assert (len(panel.images), panel.said, panel.true, panel.score) == (2, "False", "True", 0.0)
    page = qualitative_page({"NLVR2": [panel]}, title="Figure 2")
    assert page.count("<img") == 2
    assert 'class="card wrong"' in page


def test_choices_are_shown_by_their_text_with_the_said_and_the_true_one() -> None:
    values = {
        "text": "who?",
        "images": (PICTURE,),
        "choices": ["a", "b", "c", "d"],
        "rationales": ["e", "f", "g", "h"],
        "answer": 1,
        "rationale": 3,
    }
    heads = {"answer": {"number": 1}, "rationale": {"number": 0}}
    (panel,) = panels(Vcr(), [Example("v", values)], [Prediction("v", 1, 0.5, heads=heads)])
    assert (panel.said, panel.true) == ("b", "b")
    assert [(o.text, o.said, o.true) for o in panel.options][1] == ("b", True, True)
    assert [(o.said, o.true) for o in panel.reasons] == [(True, False), (False, False), (False, False), (False, True)]
    assert panel.score == 0.0  # the answer is right, the rationale is not
    assert "<strong>b</strong> ✓" in qualitative_page({"VCR": [panel]}, title="t")


def test_objects_that_a_text_names_are_framed_on_the_image(tmp_path: Path) -> None:
    task, file = Vcr(ask="answer"), tmp_path / "a.json"
    file.write_text(json.dumps({"boxes": [[1, 2, 5, 6, 0.9], [0, 0, 8, 6, 0.8], [3, 3, 4, 4, 0.7]]}))
    info = {"called": ("Casey", "dog", "cup"), "boxes_file": str(file)}
    values = {
        "text": "why is Casey here?",
        "images": (PICTURE,),
        "choices": ["a", "to see the dog", "c", "d"],
        "answer": 1,
    }
    answered = Prediction("v", 1, 0.5, heads={"answer": {"number": 1}})
    (panel,) = panels(task, [Example("v", values, info)], [answered])
    assert [(one.name, one.box) for one in panel.objects] == [("Casey", (1, 2, 5, 6)), ("dog", (0, 0, 8, 6))]
    page = qualitative_page({"VCR": [panel]}, title="t")
    assert 'viewBox="0 0 8 6"' in page
    assert 'x="1.0" y="2.0" width="4.0" height="4.0"' in page
    assert ">Casey</text>" in page
    assert ">cup</text>" not in page
    (other,) = panels(task, [Example("v", values, {**info, "boxes_file": str(tmp_path / "b.json")})], [answered])
    assert other.objects == ()
    with pytest.raises(DataError, match="has 3 boxes, but example v names 2 objects"):
        panels(task, [Example("v", values, {**info, "called": ("Casey", "dog")})], [answered])


def test_what_a_row_says_is_no_markup() -> None:
    page = qualitative_page({"VQA": panels(Vqa(), [vqa_example()], [Prediction("7", "red", 0.9)])}, title="<t>")
    assert "what &lt;color&gt;?" in page
    assert "<color>" not in page


def test_predictions_of_a_run_are_read_and_others_refused(tmp_path: Path) -> None:
    file = tmp_path / "val.jsonl"
    file.write_text(json.dumps({"id": "7", "answer": "red", "probability": 0.9, "alternatives": [["red", 0.9]]}) + "\n")
    (found,) = read_predictions(file)
    assert found == Prediction("7", "red", 0.9, (("red", 0.9),))
    with pytest.raises(DataError, match="no example '7'"):
        panels(Vqa(), [], [found])
    file.write_text('{"question": 1}\n')
    with pytest.raises(DataError, match="line 1 is no prediction"):
        read_predictions(file)
