"""Draws are a pure function of what they are for, even, and independent of each other."""

from __future__ import annotations

import numpy as np

from chiasm.data.draws import below, uniform


def test_the_same_counters_give_the_same_numbers_in_any_company() -> None:
    together = uniform("words", 3, np.arange(50)[:, None], np.arange(7))
    assert together.shape == (50, 7)
    assert uniform("words", 3, np.array([[21]]), np.array([4]))[0, 0] == together[21, 4]
    assert uniform("words", 3, 21, 4) == together[21, 4]


def test_purpose_and_every_counter_matter() -> None:
    first = uniform("words", 1, 2, 3)
    others = [uniform("regions", 1, 2, 3), uniform("words", 2, 2, 3), uniform("words", 1, 3, 2), uniform("words", 1, 2)]
    assert all(first != other for other in others)


def test_the_numbers_are_even_and_neighbours_are_unrelated() -> None:
    u = uniform("even", np.arange(200)[:, None], np.arange(500))
    assert 0 <= u.min() < u.max() < 1
    counts = np.histogram(u, bins=20, range=(0, 1))[0]
    expected = u.size / 20
    assert ((counts - expected) ** 2 / expected).sum() < 43.8  # chi-square of 19 degrees, p = 0.001
    for shifted in (u[1:].ravel(), u.T[1:].T.ravel()):
        assert abs(np.corrcoef(u.ravel()[: len(shifted)], shifted)[0, 1]) < 0.02
    assert abs(np.corrcoef(u[:-1].ravel(), u[1:].ravel())[0, 1]) < 0.02
    assert abs(np.corrcoef(u[:, :-1].ravel(), u[:, 1:].ravel())[0, 1]) < 0.02


def test_whole_numbers_stay_below_their_limits() -> None:
    limits = np.array([1, 2, 10])
    drawn = below(limits, "pick", np.arange(4000)[:, None])
    assert drawn.min() == 0
    assert drawn.max(0).tolist() == [0, 1, 9]
    assert abs(np.bincount(drawn[:, 2]) - 400).max() < 80  # 4 standard deviations
