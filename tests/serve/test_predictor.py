"""Raw inputs in, answers out: one, many, in order, and bad rows named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from chiasm.data.example import Example, RowError
from chiasm.serve import predictor as module
from chiasm.serve.predictor import PredictionError, Predictor
from chiasm.tasks import Prediction
from tests.serve.small import QUESTIONS, examples, picture, small_bundle


def test_one_example_gives_one_answer_with_its_runners_up(predictor: Predictor) -> None:
    answer = predictor.predict(image=picture(0), text=QUESTIONS[0], top_k=3)
    assert isinstance(answer, Prediction)
    assert len(answer.alternatives) == 3
    assert answer.answer == answer.alternatives[0][0]
    assert answer.probability == max(p for _, p in answer.alternatives)


def test_every_form_of_an_image_gives_the_same_answer(predictor: Predictor, tmp_path: Path) -> None:
    image, buffer = picture(1), BytesIO()
    image.save(buffer, "PNG")
    image.save(tmp_path / "a.png")
    forms = [image, str(tmp_path / "a.png"), tmp_path / "a.png", buffer.getvalue(), np.asarray(image)]
    answers = [predictor.predict(image=form, text=QUESTIONS[0]) for form in forms]
    assert all(answer == answers[0] for answer in answers)


def test_rows_are_answered_in_order_whatever_their_length(predictor: Predictor, rows: list[Example]) -> None:
    alone = [predictor.predict(image=row.values["images"][0], text=row.values["text"]) for row in rows]
    together = list(predictor.predict(rows, batch_size=4))
    assert [answer.id for answer in together] == [row.id for row in rows]
    for one, many in zip(alone, together, strict=True):
        assert isinstance(many, Prediction)
        assert one.answer == many.answer
        assert one.probability == pytest.approx(many.probability, abs=1e-5)


def test_rows_may_be_mappings_without_an_id(predictor: Predictor) -> None:
    answers = list(predictor.predict([{"image": picture(i), "text": QUESTIONS[i]} for i in range(2)]))
    assert [answer.id for answer in answers] == ["1", "2"]


@pytest.mark.parametrize("boxes", [[10, 20, 30, 40], 5, [None], [[[1, 2, 3, 4]]]])
def test_boxes_that_are_none_leave_an_error_in_their_place(predictor: Predictor, boxes: Any) -> None:
    row = {"image": picture(0), "text": QUESTIONS[0]}
    several = {"images": [picture(0)], "text": QUESTIONS[0], "boxes": 5}
    good, bad, other = predictor.predict([row, {**row, "boxes": boxes}, several], on_error="skip")
    assert isinstance(good, Prediction)
    assert isinstance(bad, PredictionError)
    assert "boxes are lists of four numbers" in bad.reason
    assert "give one list" in other.reason  # type: ignore[union-attr]


def test_rows_that_share_an_id_are_all_answered(predictor: Predictor, rows: list[Example]) -> None:
    same = [replace(row, id="x") for row in rows[:3]]
    assert [answer.id for answer in predictor.predict(same)] == ["x", "x", "x"]


def test_bad_rows_leave_an_error_in_their_place(predictor: Predictor, rows: list[Example]) -> None:
    bad = [
        rows[0],
        Example("empty", {**rows[1].values, "text": " "}),
        Example("gone", {**rows[1].values, "images": ("nowhere/at-all.png",)}),
        Example("blind", {"text": QUESTIONS[0]}),
        Example("two", {**rows[1].values, "images": (picture(0), picture(1))}),
        rows[2],
    ]
    answers = list(predictor.predict(bad, on_error="skip"))
    assert [answer.id for answer in answers] == ["q0", "empty", "gone", "blind", "two", "q2"]
    assert [type(answer) for answer in answers] == [Prediction, *[PredictionError] * 4, Prediction]
    reasons = [answer.reason for answer in answers if isinstance(answer, PredictionError)]
    assert reasons[0] == "the text is empty"
    assert "nowhere/at-all.png" in reasons[1]
    assert reasons[2] == "the row has no 'image'; it has 'text'"
    assert reasons[3] == "2 image(s), but this model takes 1 for each example"


def test_stop_answers_the_rows_before_the_bad_one_and_then_names_it(predictor: Predictor, rows: list[Example]) -> None:
    answers = predictor.predict([rows[0], Example("bad", {**rows[1].values, "text": ""}, origin="f.csv, line 3")])
    assert next(answers).id == "q0"
    with pytest.raises(RowError, match=r"f\.csv, line 3, row bad: the text is empty"):
        next(answers)


def test_a_column_with_another_name_is_named(predictor: Predictor) -> None:
    answers = list(predictor.predict([{"id": "a", "images_": [picture(0)], "text": "x"}], on_error="skip"))
    assert answers == [
        PredictionError("a", "the row has no 'image'; it has 'images_', 'text' (did you mean 'images_' to be it?)")
    ]


def test_a_single_bad_example_raises(predictor: Predictor) -> None:
    with pytest.raises(RowError, match="no 'text'"):
        predictor.predict(image=picture(0))
    with pytest.raises(RowError, match="both `image` and `images`"):
        predictor.predict(image=picture(0), images=[picture(0)], text="x")


def test_rows_are_read_only_as_far_as_they_are_needed(
    predictor: Predictor, rows: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK", 2)
    read: list[str] = []

    def source() -> Iterator[Example]:
        for row in rows:
            read.append(row.id)
            yield row

    answers = predictor.predict(source())
    next(answers)
    assert read == ["q0", "q1"]
    assert len(list(answers)) == 5


def test_given_boxes_are_the_regions(predictor: Predictor) -> None:
    explanation = predictor.explain(
        image=picture(0), text=QUESTIONS[0], boxes=[[0, 0, 32, 24], [32, 24, 64, 48]], random_orders=2
    )
    assert explanation.views[0].boxes.tolist() == [[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1]]


def test_two_images_are_answered_together() -> None:
    pairs = examples(3, images=2)
    predictor = Predictor(small_bundle(pairs, images=2))
    assert predictor.num_images == 2
    one = predictor.predict(images=[picture(0), picture(1)], text=QUESTIONS[0])
    (same, *_) = predictor.predict(pairs)
    assert isinstance(same, Prediction)
    assert one.probability == pytest.approx(same.probability, abs=1e-5)


def test_the_explained_answer_is_the_predicted_one(predictor: Predictor, rows: list[Example]) -> None:
    for row in rows[:3]:
        image, text = row.values["images"][0], row.values["text"]
        explanation = predictor.explain(image=image, text=text, random_orders=2)
        assert explanation.prediction == predictor.predict(image=image, text=text)


def test_predicting_changes_no_weight_and_keeps_evaluation_mode(predictor: Predictor, rows: list[Example]) -> None:
    before = {name: value.clone() for name, value in predictor.bundle.model.state_dict().items()}
    list(predictor.predict(rows))
    after = predictor.bundle.model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not predictor.bundle.model.training


def test_rows_and_one_example_together_are_refused(predictor: Predictor, rows: list[Example]) -> None:
    with pytest.raises(TypeError, match="not both: text"):
        predictor.predict(rows, text="x")  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="on_error is 'ignore'"):
        predictor.predict(rows, on_error="ignore")  # type: ignore[call-overload]
