"""What the columns of COIN's printed tables are, proved from integer counts (sheet `coin`, section 5)."""

from __future__ import annotations

import numpy as np
import pytest

from chiasm.metrics.class_counts import ClassCounts

LABELS = ("hap", "sad", "neu", "ang", "exc", "fru")
SUPPORT = (144, 245, 384, 170, 299, 381)
CORRECT, PREDICTED = (51, 156, 248, 121, 206, 279), (96, 182, 413, 182, 298, 452)
PRINTED_ACC = (53.12, 85.71, 60.05, 66.48, 69.13, 61.73)
PRINTED_F1 = (42.50, 73.07, 62.23, 68.75, 69.01, 66.99)


@pytest.fixture
def coin() -> ClassCounts:
    return ClassCounts(LABELS, np.array(CORRECT), np.array(PREDICTED), np.array(SUPPORT))


def test_the_printed_accuracy_of_each_class_in_coins_row_is_precision(coin: ClassCounts) -> None:
    assert tuple(np.round(100 * coin.precision, 2)) == PRINTED_ACC
    assert tuple(np.round(100 * coin.f1, 2)) == PRINTED_F1
    assert tuple(np.round(100 * coin.recall, 2)) == (35.42, 63.67, 64.58, 71.18, 68.90, 73.23)


def test_the_printed_averages_of_coins_row_are_weighted_precision_and_accuracy(coin: ClassCounts) -> None:
    assert sum(PREDICTED) == sum(SUPPORT) == 1623
    assert round(100 * coin.weighted_precision, 2) == 66.05  # printed as average Acc
    assert round(100 * coin.accuracy, 2) == 65.37  # printed as average F1
    assert round(100 * coin.accuracy, 6) == 65.372766
    assert round(100 * coin.weighted_precision, 6) == 66.048921
    assert round(100 * coin.weighted_f1, 6) == 65.165268
    assert round(100 * coin.macro_f1, 6) == 63.758302


@pytest.mark.parametrize(
    ("correct", "precision", "f1", "accuracy"),
    [
        ((58, 166, 236, 120, 188, 273), 47.93, 43.77, 64.14),  # ICON + AT
        ((32, 207, 225, 103, 280, 152), 60.38, 32.49, 61.55),  # DialogueGCN + AT
        ((40, 174, 220, 113, 193, 244), 36.04, 31.37, 60.63),  # DialogueRNN + AT; its happy F1 is printed as 31.17
    ],
)
def test_the_rows_with_adversarial_training_print_precision_too(
    correct: tuple[int, ...], precision: float, f1: float, accuracy: float
) -> None:
    predicted_happy = round(100 * correct[0] / precision)
    counts = ClassCounts(("hap",), np.array(correct[:1]), np.array([predicted_happy]), np.array(SUPPORT[:1]))
    assert round(100 * float(counts.precision[0]), 2) == precision
    assert round(100 * float(counts.f1[0]), 2) == f1
    assert round(100 * sum(correct) / sum(SUPPORT), 2) == accuracy


def test_the_sheets_small_example() -> None:
    y, said = [0, 0, 0, 1, 1, 2, 2, 2, 2, 3], [0, 1, 0, 1, 1, 2, 2, 0, 3, 3]
    counts = ClassCounts.count(y, said, range(4))
    np.testing.assert_allclose(counts.recall, [2 / 3, 1, 0.5, 1])
    np.testing.assert_allclose(counts.f1, [2 / 3, 0.8, 2 / 3, 2 / 3])
    assert counts.accuracy == pytest.approx(0.7)
    assert counts.weighted_f1 == pytest.approx(0.693333, abs=1e-6)
    assert counts.macro_f1 == pytest.approx(0.7)


def test_a_table_names_every_average(coin: ClassCounts) -> None:
    lines = coin.table().splitlines()
    assert lines[1].split() == ["hap", "53.12", "35.42", "42.50", "144"]
    assert lines[-1] == "macro F1: 63.76"
    assert len(lines) == 11
