"""The generated reviews: seeded, in the official columns, and true to what they claim."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from chiasm.synth.worlds import reviews


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    folder = tmp_path_factory.mktemp("reviews")
    reviews.write(folder, reviews.Options(rows=3000, val_rows=300, test_rows=300), seed=3)
    return {split: pd.read_csv(folder / f"{split}.csv") for split in ("train", "val", "test")}


def test_the_same_seed_writes_the_same_bytes_and_another_does_not(tmp_path: Path) -> None:
    written = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / name).mkdir()
        reviews.write(tmp_path / name, reviews.Options(rows=50), seed=seed)
        written.append((tmp_path / name / "train.csv").read_bytes())
    assert written[0] == written[1] != written[2]


def test_the_columns_are_those_of_the_clothing_reviews(tables: dict[str, pd.DataFrame], shared_data: object) -> None:
    official = pd.read_csv(shared_data("clothing_reviews", "val.csv.gz"), nrows=1)  # type: ignore[operator]
    assert list(tables["train"].columns) == list(official.columns)


def test_mood_rating_and_department_decide_and_none_of_them_alone(tables: dict[str, pd.DataFrame]) -> None:
    table = tables["train"]
    mood_of = {word: mood for mood, words in reviews.MOODS.items() for word in words}
    words = table["Review Text"].str.replace(r"[.,]", "", regex=True).str.split()
    mood = words.map(lambda row: sum(mood_of.get(word, 0) for word in row))
    score = mood + table["Rating"] - 3 + table["Department Name"].map(reviews.TASTES)
    assert ((score > 0) == table["Recommended IND"].astype(bool)).all()
    for column in (mood, table["Rating"], table["Department Name"]):
        best = table["Recommended IND"].groupby(column).agg(lambda y: max(y.mean(), 1 - y.mean()) * len(y)).sum()
        assert best / len(table) < 0.85


def test_the_useless_columns_tell_nothing(tables: dict[str, pd.DataFrame]) -> None:
    table = tables["train"]
    rate = table["Recommended IND"].mean()
    for column in reviews.USELESS:
        groups = pd.qcut(table[column], 4, duplicates="drop") if column != "Division Name" else table[column]
        by_value = table["Recommended IND"].groupby(groups, observed=True).mean()
        assert (by_value - rate).abs().max() < 0.08, column


def test_a_departments_test_words_never_occur_with_it_in_training(tables: dict[str, pd.DataFrame]) -> None:
    for department in reviews.TASTES:
        words = {reviews.held_out(department, mood) for mood in reviews.MOODS}
        for split, expected in (("train", 0), ("test", 1)):
            table = tables[split]
            texts = table.loc[table["Department Name"] == department, "Review Text"]
            assert texts.str.contains("|".join(words)).mean() == expected


def test_an_empty_split_is_refused() -> None:
    with pytest.raises(ValueError, match="rows is 0"):
        reviews.Options(rows=0)
