"""Table rows: what is learnt, what is filled, what is refused."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.preprocessing import PowerTransformer, QuantileTransformer

from chiasm.data.example import BadRows, DataError, Example, RowError
from chiasm.data.numbers import transform_named
from chiasm.data.table import MISSING, Preprocess, label
from chiasm.registry import UnknownName


def rows(*cells: dict[str, object]) -> list[Example]:
    return [Example(f"r{i}", {"table": row}, origin=f"pets.csv, line {i + 2}") for i, row in enumerate(cells)]


TRAIN = rows(
    {"age": 3, "kind": "cat"}, {"age": 1, "kind": "dog"}, {"age": math.nan, "kind": None}, {"age": 7, "kind": "cat"}
)


def fitted(**options: object) -> Preprocess:
    return Preprocess(numbers=("age",), categories=("kind",), transform="none", **options).fit(TRAIN)


def test_a_missing_number_gets_the_median_and_its_mask_is_false() -> None:
    table = fitted().encode(TRAIN).gather(torch.arange(4))
    assert table.numbers.flatten().tolist() == [3, 1, 3, 7]
    assert table.numbers_mask.flatten().tolist() == [True, True, False, True]


def test_a_missing_category_is_a_class_of_its_own_when_training_rows_have_one() -> None:
    preprocess = fitted()
    assert preprocess.classes == {"kind": [MISSING, "cat", "dog"]}
    assert preprocess.encode(TRAIN).categories.flatten().tolist() == [2, 3, 1, 2]


def test_a_missing_category_is_unknown_when_no_training_row_has_one() -> None:
    preprocess = Preprocess(categories=("kind",)).fit(TRAIN[:2])
    assert preprocess.encode(TRAIN).categories.flatten().tolist() == [1, 2, 0, 1]


def test_a_category_never_seen_is_unknown() -> None:
    assert fitted().encode(rows({"age": 1, "kind": "fox"})).categories.tolist() == [[0]]


def test_whole_numbers_as_categories_are_alike_as_int_float_and_numpy() -> None:
    assert {label(2), label(2.0), label(np.int64(2)), label(np.float32(2)), label("2"), label("2.0")} == {"2"}
    assert (label(2.5), label(True), label(""), label("v2.0")) == ("2.5", "True", MISSING, "v2.0")


def test_columns_are_told_apart_by_their_cells_when_none_is_named() -> None:
    preprocess = Preprocess().fit(TRAIN)
    assert preprocess.column_names == ("age", "kind")
    assert preprocess.facts == {"num_numbers": 1, "category_sizes": (3,)}


def test_texts_that_say_numbers_are_numbers_as_all_cells_of_a_csv_file_are_texts() -> None:
    preprocess = Preprocess(transform="none").fit(rows({"age": "3", "kind": "cat"}, {"age": "-1.5", "kind": "nan7"}))
    assert preprocess.encode(rows({"age": "2e1", "kind": "cat"})).numbers.tolist() == [[20.0]]
    assert preprocess.column_names == ("age", "kind")


def test_statistics_come_from_the_fitted_rows_only() -> None:
    preprocess = fitted()
    before = preprocess.encode(TRAIN[:1]).numbers
    preprocess.encode(rows({"age": 1e9, "kind": "fox"}))
    assert torch.equal(preprocess.encode(TRAIN[:1]).numbers, before)
    assert not preprocess.fits_on_all
    assert fitted(fit_on="all").fits_on_all


def test_an_absent_column_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(DataError, match=r"no row has the column 'age'.*'ages'"):
        fitted().encode(rows({"ages": 1, "kind": "cat"}))


def test_a_row_without_a_column_is_named() -> None:
    with pytest.raises(RowError, match=r"pets.csv, line 3, row r1: the row has no column 'kind'"):
        fitted().encode(rows({"age": 1, "kind": "cat"}, {"age": 1}))


def test_an_absent_column_can_count_as_missing() -> None:
    table = fitted(absent="missing").encode(rows({"kind": "cat"}, {"age": 1}))
    assert table.numbers.flatten().tolist() == [3, 1]
    assert table.categories.flatten().tolist() == [2, 1]


def test_every_cell_that_is_no_number_is_named() -> None:
    with pytest.raises(BadRows, match=r"(?s)line 2.*'age' holds 'old'.*line 3.*inf"):
        fitted().encode(rows({"age": "old", "kind": "cat"}, {"age": math.inf, "kind": "cat"}))


def test_a_column_without_any_number_is_refused_by_its_name() -> None:
    with pytest.raises(DataError, match="'age' has no number in any of the 2 rows"):
        Preprocess(numbers=("age",)).fit(rows({"age": None}, {"age": math.nan}))


def test_an_example_without_a_table_row_is_named() -> None:
    with pytest.raises(RowError, match="row x: there is no table row"):
        fitted().encode([Example("x", {"text": "hello"})])


def test_a_column_cannot_be_both_and_an_unknown_transform_is_refused() -> None:
    with pytest.raises(ValueError, match="not both: age"):
        Preprocess(numbers=("age",), categories=("age",))
    with pytest.raises(UnknownName, match="quantile_normal"):
        Preprocess(transform="quantile_norml")


def test_a_loaded_preprocessor_encodes_bit_for_bit(tmp_path: Path) -> None:
    preprocess = Preprocess(numbers=("age",), categories=("kind",), transform="yeo_johnson").fit(TRAIN)
    preprocess.save(tmp_path)
    loaded = Preprocess.load(tmp_path)
    assert loaded.options == preprocess.options
    for name in ("numbers", "numbers_mask", "categories"):
        assert torch.equal(getattr(loaded.encode(TRAIN), name), getattr(preprocess.encode(TRAIN), name))


def skewed(n: int = 300) -> np.ndarray:
    drawn = np.random.default_rng(0).exponential(3.0, n)
    drawn[: n // 3] = 1.0  # many equal values, as counts have
    return drawn


SKLEARN = {
    "quantile_normal": lambda: QuantileTransformer(n_quantiles=200, output_distribution="normal"),
    "yeo_johnson": lambda: PowerTransformer("yeo-johnson"),
    "box_cox": lambda: PowerTransformer("box-cox"),
}


@pytest.mark.parametrize("name", SKLEARN)
def test_transforms_equal_scikit_learns(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = transform_named(name)
    monkeypatch.setattr(kind, "QUANTILES", 200, raising=False)
    values = skewed()
    new = np.concatenate([values, [0.001, 1.0, 50.0]])
    theirs = SKLEARN[name]().fit(values[:, None]).transform(new[:, None])[:, 0]
    np.testing.assert_allclose(kind.fit(values)(new), theirs, rtol=1e-6, atol=1e-6)


def test_a_constant_column_is_transformed_to_a_finite_constant() -> None:
    for name in ("quantile_normal", "yeo_johnson", "box_cox", "standard", "none"):
        kind = transform_named(name)
        found = kind.fit(np.full(5, 2.0))(np.full(3, 2.0))
        assert np.isfinite(found).all(), name


def test_box_cox_of_a_value_that_is_not_positive_names_the_column() -> None:
    with pytest.raises(DataError, match=r"'age': box_cox needs values above 0.*yeo_johnson"):
        Preprocess(numbers=("age",), transform="box_cox").fit(rows({"age": 0}, {"age": 2}))
