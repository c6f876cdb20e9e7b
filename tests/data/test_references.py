"""Learning from several sentences: the sheet's smoothed targets, draws by probability, masses that sum to 1."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from chiasm.data.example import Example
from chiasm.data.references import (
    AfterEnd,
    ReferenceColumn,
    ReferenceDataset,
    Sampling,
    Smoothing,
    Teaching,
    spread_over,
)
from chiasm.data.vocabulary import IGNORE
from chiasm.data.words import END, PAD, WordVocabulary

CAPTIONS = ["a dog runs", "the dog sleeps", "a cat"]
P = [0.5, 0.3, 0.2]
WORDS = WordVocabulary.fit(CAPTIONS)


def masses(teaching: Teaching, place: int) -> dict[str, float]:
    """What the sheet writes: word -> mass at one step, the first caption drawn."""
    column = ReferenceColumn([WORDS.encode(CAPTIONS)])
    sentences = column.sentences(torch.arange(3))[None]
    words, weights = spread_over(sentences, torch.tensor([P]), torch.tensor([0]), 4, teaching)
    found: Counter[str] = Counter()
    for word, weight in zip(words[0, place].tolist(), weights[0, place].tolist(), strict=True):
        if weight:
            found[WORDS.words[word]] += weight
    return dict(found)


def test_smoothed_targets_are_the_sheets() -> None:
    teaching = Teaching(smoothing="references", alpha=0.2, pad=PAD)
    wanted = [
        {"a": 0.94, "the": 0.06},
        {"dog": 0.96, "cat": 0.04},
        {"runs": 0.90, "sleeps": 0.06, "[SEP]": 0.04},
        {"[SEP]": 0.96, "[PAD]": 0.04},
    ]
    for place, mass in enumerate(wanted):
        assert masses(teaching, place) == pytest.approx(mass)


@pytest.mark.parametrize(
    ("teaching", "mass"),
    [
        (Teaching(smoothing="references", pad=END), {"[SEP]": 1.0}),
        (Teaching(smoothing="references", after_end="zero"), {"[SEP]": 0.96}),
        (Teaching(smoothing="references", after_end="renormalise"), {"[SEP]": 1.0}),
    ],
)
def test_after_the_end_of_shorter_captions_mass_goes_where_it_is_told(
    teaching: Teaching, mass: dict[str, float]
) -> None:
    assert masses(teaching, 3) == pytest.approx(mass)


def dataset(teaching: Teaching, captions: list[list[str]], shares: list[float]) -> ReferenceDataset:
    words = WordVocabulary.fit([text for texts in captions for text in texts])
    flat = iter(words.encode([text for texts in captions for text in texts]))
    column = ReferenceColumn([[next(flat) for _ in texts] for texts in captions])
    rows = [Example(str(i), {}) for i in range(len(captions))]
    return ReferenceDataset(rows, {}, column, shares, replace(teaching, num_words=len(words)))


def test_draws_follow_the_probabilities() -> None:
    data = dataset(Teaching(sampling="validity"), [CAPTIONS] * 10_000, P * 10_000)
    drawn = np.bincount(data.draw(torch.arange(10_000)).numpy(), minlength=3) / 10_000
    assert np.abs(drawn - P).max() < 0.02
    even = dataset(Teaching(), [CAPTIONS] * 10_000, P * 10_000)
    assert np.abs(np.bincount(even.draw(torch.arange(10_000)).numpy()) / 10_000 - 1 / 3).max() < 0.02


def test_each_epoch_draws_anew_and_the_same_epoch_the_same() -> None:
    data = dataset(Teaching(sampling="validity"), [CAPTIONS] * 200, P * 200)
    every = torch.arange(200)
    held_out = data.draw(every)
    data.visit = (0, 1)
    first = data.draw(every)
    assert torch.equal(first, data.draw(every))
    assert torch.equal(first[50:60], data.draw(every[50:60]))  # whatever the batch
    data.visit = (0, 2)
    assert not torch.equal(first, data.draw(every))
    data.visit = None
    assert torch.equal(held_out, data.draw(every))


def test_the_best_caption_is_drawn_when_asked_for() -> None:
    data = dataset(Teaching(sampling="best"), [CAPTIONS, CAPTIONS], [0.2, 0.5, 0.3, 0.6, 0.2, 0.2])
    assert data.draw(torch.arange(2)).tolist() == [1, 0]


def test_masses_sum_to_one_with_any_number_of_captions() -> None:
    captions = [["a b c d", "a"], ["b"], ["c d e f g", "a b", "e", "f f f"]]
    shares = [0.7, 0.3, 1.0, 0.1, 0.2, 0.3, 0.4]
    for after_end in ("pad_token", "renormalise"):
        data = dataset(Teaching(smoothing="references", after_end=after_end), captions, shares)  # type: ignore[arg-type]
        for epoch in range(5):
            data.visit = (0, epoch)
            targets = data.batch(torch.arange(3)).targets
            real = targets["words"][..., 0] >= 0
            sums = targets["words_weight"].sum(-1)
            torch.testing.assert_close(sums, real.float())
            assert not (targets["words_weight"][targets["words"] < 0] != 0).any()


def test_smoothing_can_count_all_captions_alike_while_draws_do_not() -> None:
    data = dataset(Teaching("best", "references", even=True), [["a b", "c d"]], [0.9, 0.1])
    targets = data.batch(torch.arange(1)).targets
    assert targets["words"][0, 0, 0] == targets["words"][0, 0, 1]  # the first caption, the likelier one
    torch.testing.assert_close(targets["words_weight"][0, 0], torch.tensor([0.8, 0.1, 0.1]))


def test_label_smoothing_of_both_kinds_sums_to_one() -> None:
    for kind in ("label", "label_others"):
        data = dataset(Teaching(smoothing=kind), [["a b c"], ["d"]], [1.0, 1.0])  # type: ignore[arg-type]
        targets = data.batch(torch.arange(2)).targets
        real = (targets["words"][..., 0] >= 0).float()
        torch.testing.assert_close(targets["words_weight"].sum(-1) + targets["words_even"], real)


def test_equal_captions_leave_the_target_hard() -> None:
    data = dataset(Teaching(smoothing="references"), [["a b", "a b"]], [0.5, 0.5])
    targets = data.batch(torch.arange(1)).targets
    assert (targets["words"] == targets["words"][..., :1]).all()


def test_examples_without_sentences_have_no_targets() -> None:
    data = dataset(Teaching(), [["a b"], []], [1.0])
    assert data.batch(torch.tensor([1])).targets == {}
    assert "words" in data.batch(torch.tensor([0])).targets


@pytest.mark.parametrize("sampling", ["uniform", "validity", "best"])
@pytest.mark.parametrize("smoothing", ["none", "label", "references"])
@pytest.mark.parametrize("after_end", ["pad_token", "renormalise"])
def test_an_example_without_sentences_does_not_keep_others_from_being_learnt(
    sampling: Sampling, smoothing: Smoothing, after_end: AfterEnd
) -> None:
    teaching = Teaching(sampling, smoothing, after_end=after_end)
    data = dataset(teaching, [["a b"], ["b a a"], [], ["a"], []], [1.0, 1.0, 1.0])
    alone = data.batch(torch.tensor([0, 3])).targets
    targets = data.batch(torch.tensor([0, 2, 3, 4])).targets
    silent = torch.tensor([1, 3])
    assert (targets["words"][silent] == IGNORE).all()
    for name, values in targets.items():
        assert values.isfinite().all()
        if name != "words":
            assert not values[silent].any()
        assert torch.equal(values[[0, 2]], alone[name])
    assert data.batch(torch.tensor([2, 4])).targets == {}
