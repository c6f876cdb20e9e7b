"""Types of a recipe's values, from annotations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from chiasm.training import schema
from chiasm.training.errors import RecipeError


@dataclass(frozen=True)
class Example:
    size: int
    share: float = 0.5
    kind: Literal["red", "blue"] = "red"
    names: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


def test_a_dataclass_is_a_schema() -> None:
    values = schema.of_dataclass(Example).check({"size": 3, "share": 1, "names": ["a"]}, "here")
    assert values == {"size": 3, "share": 1.0, "names": ("a",)}


def test_an_unknown_key_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(RecipeError, match=r"here: unknown key 'siez'; did you mean 'size'\?"):
        schema.of_dataclass(Example).check({"siez": 3}, "here")


def test_a_missing_key_is_named() -> None:
    with pytest.raises(RecipeError, match="here: missing size"):
        schema.of_dataclass(Example).check({}, "here")


@pytest.mark.parametrize(
    ("value", "expected", "message"),
    [
        ("fast", float, r"x: expected a number, got 'fast' \(text\)"),
        (1.5, int, r"x: expected a whole number, got 1.5 \(a number\)"),
        (True, int, r"x: expected a whole number, got True \(true or false\)"),
        (1, bool, r"x: expected true or false, got 1 \(a whole number\)"),
        (3, str, r"x: expected text, got 3"),
        ("a", tuple[str, ...], r"x: expected a list of text, got 'a'"),
        (["a", 3], tuple[str, ...], r"x\[1\]: expected text, got 3"),
        ([1.0], tuple[float, float], "x: expected 2 items, got 1"),
        ({"a": "b"}, Mapping[str, int], "x.a: expected a whole number"),
        ([], int | None, "x: expected a whole number or nothing, got"),
        ("rde", Literal["red", "blue"], r"x: unknown value 'rde'; did you mean 'red'"),
        (3, Literal["red"], "x: expected one of 'red', got 3"),
        (None, int, "x: expected a whole number, got None"),
    ],
)
def test_a_wrong_type_names_the_key_what_was_expected_and_what_was_given(
    value: Any, expected: Any, message: str
) -> None:
    with pytest.raises(RecipeError, match=message):
        schema.typed(value, expected, "x")


@pytest.mark.parametrize(
    ("value", "expected", "result"),
    [
        (1, float, 1.0),
        (1, int | None, 1),
        (None, int | None, None),
        (["a"], list[str], ["a"]),
        ([1, 2], tuple[float, float], (1.0, 2.0)),
        ("a/b", Path, Path("a/b")),
        ("a", Any, "a"),
        ({"a": 1}, dict[str, float], {"a": 1.0}),
    ],
)
def test_a_right_value_is_brought_to_its_type(value: Any, expected: Any, result: Any) -> None:
    assert schema.typed(value, expected, "x") == result
    assert type(schema.typed(value, expected, "x")) is type(result)


def test_a_function_is_a_schema_after_its_first_parameters() -> None:
    def read(folder: Path, split: str, *, limit: int = 0) -> None: ...

    assert schema.of_function(read, skip=2).types == {"limit": int}


def test_a_function_with_further_keywords_takes_any() -> None:
    def read(folder: Path, **options: Any) -> None: ...

    assert schema.of_function(read, skip=1).check({"what": 1}, "here") == {"what": 1}
