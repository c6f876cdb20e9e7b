"""Pickles are read without being run: plain values come out, everything else is refused by name."""

from __future__ import annotations

import os
import pickle
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chiasm.data.example import DataError
from chiasm.data.plain_pickle import read_plain_pickle

VALUES = {
    "numbers": [1, -7, 2**70, 3.5, True, None, 300, 70000],
    "texts": ("é", "", "a longer text " * 40, b"bytes"),
    "nested": {"a": [{"b": (1, 2, 3, 4)}], 3: {"x", "y"}, "f": frozenset({1})},
    "again": [],
}


@pytest.mark.parametrize("protocol", range(6))
def test_plain_values_are_read_in_every_protocol(tmp_path: Path, protocol: int) -> None:
    shared = [1, 2]
    value = {**VALUES, "again": [shared, shared]}
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(value, protocol=protocol))
    assert read_plain_pickle(tmp_path / "x.pkl") == value


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("dtype", ["<f4", ">f8", "int64", "bool", "uint8"])
def test_arrays_and_numpy_numbers_are_read(tmp_path: Path, protocol: int, dtype: str) -> None:
    array = np.arange(12).reshape(3, 4).astype(dtype)
    value = {"c": array, "fortran": np.asfortranarray(array), "one": array[1, 2], "list": [array[0]]}
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(value, protocol=protocol))
    read = read_plain_pickle(tmp_path / "x.pkl")
    for name in ("c", "fortran"):
        np.testing.assert_array_equal(read[name], array)
        assert read[name].dtype == array.dtype
    assert read["one"] == array[1, 2]
    np.testing.assert_array_equal(read["list"][0], array[0])


def test_a_file_written_by_python_2_is_read() -> None:
    """Byte strings become text; a defaultdict, a set and an array of protocol 2 as Python 2 wrote them."""
    content = (
        b"\x80\x02}q\x00(U\x03Sesq\x01c__builtin__\nset\nq\x02]q\x03(K\x01K\x02e\x85q\x04Rq\x05U\x01aq\x06"
        b"cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08K\x00\x85q\tU\x01b\x87q\nRq\x0b"
        b"(K\x01K\x02\x85cnumpy\ndtype\nq\x0cU\x02f4K\x00K\x01\x87Rq\r(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff"
        b"\xff\xffK\x00tb\x89U\x08\x00\x00\x80?\x00\x00\x00@tbu."
    )
    folder = Path(os.environ["CHIASM_CACHE"])
    (folder / "two.pkl").write_bytes(content)
    read = read_plain_pickle(folder / "two.pkl")
    assert read["Ses"] == {1, 2}
    np.testing.assert_array_equal(read["a"], np.array([1, 2], dtype=np.float32))


class Runs:
    """Pickles to a call of os.system."""

    def __reduce__(self) -> Any:
        return os.system, ("echo ran > ran.txt",)


class HidesInState:
    """Pickles to an object with a state."""

    def __init__(self) -> None:
        self.x = 1


@pytest.mark.parametrize("value", [Runs(), HidesInState(), [1, {"a": Runs()}], print, np.dtype("M8[s]"), defaultdict])
@pytest.mark.parametrize("protocol", range(6))
def test_what_is_not_plain_is_refused_and_nothing_runs(tmp_path: Path, value: Any, protocol: int) -> None:
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(value, protocol=protocol))
    with pytest.raises(DataError, match=r"x\.pkl holds more than plain values: "):
        read_plain_pickle(tmp_path / "x.pkl")
    assert not Path("ran.txt").exists()


@pytest.mark.parametrize("cut", [0, 1, 10, 60, -1])
def test_a_damaged_file_is_named(tmp_path: Path, cut: int) -> None:
    content = pickle.dumps({"a": np.zeros(30)}, protocol=2)
    (tmp_path / "x.pkl").write_bytes(content[:cut])
    with pytest.raises(DataError, match=r"x\.pkl"):
        read_plain_pickle(tmp_path / "x.pkl")
