"""Generated tables: any columns, a planted score, useless columns beside it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from chiasm.synth.worlds import tables


def written(folder: Path, **options: object) -> pd.DataFrame:
    tables.write(folder, tables.Options(**options), seed=1)  # type: ignore[arg-type]
    return pd.read_csv(folder / "train.csv")


def score_of(table: pd.DataFrame) -> pd.Series:
    moods = {word: mood for mood, words in tables.MOODS.items() for word in words}
    mood = table["text"].str.split().map(lambda words: sum(moods.get(word, 0) for word in words))
    return mood + table["number"] / 10 + table["category"].map(tables.TASTES)


def test_the_class_is_that_of_the_planted_score_and_classes_are_about_equally_likely(tmp_path: Path) -> None:
    table = written(tmp_path, rows=3000)
    expected = score_of(table).map(lambda score: tables.target(int(score), 3))
    assert (table["label"] == expected).all()
    assert table["label"].value_counts(normalize=True).between(0.2, 0.5).all()


def test_without_classes_the_target_is_a_number_of_the_planted_score(tmp_path: Path) -> None:
    table = written(tmp_path, rows=300, classes=0)
    assert (table["label"] == 100 + 20 * score_of(table)).all()


def test_further_columns_are_there_and_some_of_their_cells_are_empty(tmp_path: Path) -> None:
    table = written(tmp_path, rows=300, text=("text", "more"), numbers=("number", "n2"), categories=("category", "c2"))
    assert {"more", "n2", "c2"} < set(table.columns)
    assert table[["more", "n2", "c2"]].isna().mean().between(0.02, 0.2).all()
    assert not table[["text", "number", "category"]].isna().any(axis=None)


@pytest.mark.parametrize(
    "options", [{"text": ()}, {"numbers": ("text",)}, {"rows": 0}, {"classes": 1}, {"missing": 1.0}]
)
def test_impossible_options_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"column|row|classes"):
        tables.Options(**options)  # type: ignore[arg-type]
