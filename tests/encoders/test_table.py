"""Categories as indicators: one-hot, binary, unknown."""

from __future__ import annotations

import torch
from sklearn.preprocessing import LabelBinarizer, OneHotEncoder

from chiasm.encoders.table import CategoryIndicators

CODES = torch.tensor([[1, 2], [2, 1], [1, 3], [2, 2]])


def test_one_hot_equals_scikit_learns() -> None:
    theirs = OneHotEncoder(sparse_output=False).fit_transform(CODES.numpy())
    ours = CategoryIndicators([2, 3])
    assert ours.output_size == 5
    assert torch.equal(ours(CODES), torch.from_numpy(theirs).float())


def test_binary_equals_scikit_learns_label_binarizer_column_by_column() -> None:
    theirs = [torch.from_numpy(LabelBinarizer().fit_transform(column)) for column in CODES.T.numpy()]
    ours = CategoryIndicators([2, 3], binary=True)
    assert ours.output_size == 4
    assert torch.equal(ours(CODES), torch.cat(theirs, 1).float())


def test_the_unknown_class_is_all_zeros() -> None:
    for binary in (False, True):
        assert CategoryIndicators([2, 3], binary=binary)(torch.zeros(1, 2, dtype=torch.int64)).sum() == 0


def test_no_category_column_gives_an_empty_vector() -> None:
    assert CategoryIndicators([])(torch.zeros(3, 0, dtype=torch.int64)).shape == (3, 0)
