"""Files and tables of rows, answered in their order with an error in the place of each bad row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from chiasm.data.example import BadRows, DataError, Example, RowError
from chiasm.serve.incoming import example_of, in_order, incoming
from chiasm.serve.predictor import PredictionError, Predictor
from chiasm.tasks import Prediction
from tests.serve.small import QUESTIONS, picture


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A CSV whose third row has no text and whose fourth has no picture."""
    for i in range(3):
        picture(i).save(tmp_path / f"{i}.png")
    rows = [("a", "0.png", QUESTIONS[0]), ("b", "1.png", QUESTIONS[1]), ("c", "2.png", ""), ("d", "no.png", "Is it?")]
    text = "".join(f'{name},{image},"{asked}"\n' for name, image, asked in [*rows, ("e", "2.png", QUESTIONS[2])])
    (tmp_path / "rows.csv").write_text("id,picture,question\n" + text)
    return tmp_path / "rows.csv"


def test_a_file_is_answered_in_its_order_with_errors_in_place(predictor: Predictor, table: Path) -> None:
    answers = list(predictor.predict(table, on_error="skip"))
    assert [answer.id for answer in answers] == ["a", "b", "c", "d", "e"]
    assert [isinstance(answer, PredictionError) for answer in answers] == [False, False, True, True, False]


def test_stop_names_every_bad_row_of_a_file(predictor: Predictor, table: Path) -> None:
    with pytest.raises(BadRows, match=r"(?s)line 4.*line 5.*no\.png"):
        predictor.predict(table)


def test_a_data_frame_is_read_by_the_same_column_map(predictor: Predictor, table: Path) -> None:
    frame = pd.read_csv(table).dropna().iloc[:2]
    frame["picture"] = [str(table.parent / name) for name in frame["picture"]]
    from_file = list(predictor.predict(table, on_error="skip"))[:2]
    for one, other in zip(predictor.predict(frame), from_file, strict=True):
        assert isinstance(one, Prediction)
        assert isinstance(other, Prediction)
        assert (one.id, one.answer) == (other.id, other.answer)
        assert one.probability == pytest.approx(other.probability, abs=1e-5)


def test_a_missing_column_is_named_with_those_there_are(predictor: Predictor) -> None:
    frame = pd.DataFrame({"question": ["Is it red there?", "What colour is it?"]})
    with pytest.raises(DataError, match="no column is the image"):
        predictor.predict(frame)


def test_columns_may_be_said(predictor: Predictor, table: Path) -> None:
    renamed = table.with_name("renamed.csv")
    renamed.write_text(table.read_text().replace("id,picture,question", "name,this,that"))
    answers = list(predictor.predict(renamed, columns={"that": "text", "this": "image", "name": "id"}, on_error="skip"))
    assert [answer.id for answer in answers] == ["a", "b", "c", "d", "e"]


def test_boxes_of_one_image_and_of_several() -> None:
    assert example_of(image="a", boxes=[[0, 0, 1, 1]]).values["boxes"] == ([[0, 0, 1, 1]],)
    assert example_of(images=["a", "b"], boxes=[[[0, 0, 1, 1]], None]).values["boxes"] == ([[0, 0, 1, 1]], None)


def test_what_is_not_given_is_not_a_role() -> None:
    assert example_of(text="x", image=None).values == {"text": "x"}


def test_errors_stand_between_the_rows_by_line() -> None:
    rows = [Example("a", {}, origin="f.csv, line 2"), Example("b", {}, origin="f.csv, line 10")]
    error = RowError("bad", origin="f.csv, line 9")
    assert in_order(rows, [error]) == [rows[0], error, rows[1]]


@pytest.mark.parametrize("row", ["a string", 3])
def test_a_row_that_is_no_mapping_is_refused(row: Any) -> None:
    with pytest.raises(TypeError, match="a mapping such as"):
        list(incoming([row]))
