"""Batched searches find what plain ones find, obey their limits, and do not mix images."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch

from chiasm.data.words import END, PAD, START, UNKNOWN
from chiasm.heads.decode import Generated, State
from chiasm.heads.decode.beam import BeamSearch
from chiasm.heads.decode.limits import Limits
from chiasm.heads.decode.sample import NucleusSampling

from .plain import Table, plain_beam

IMAGES, WORDS = 6, 14
CPU = torch.device("cpu")
FORBIDDEN = {PAD, START, UNKNOWN}


def run(search: BeamSearch | NucleusSampling, table: Table) -> Generated:
    return search(table.step, table.state(), num_images=len(table.one), device=CPU)


def sentences(found: Generated, image: int) -> list[list[int]]:
    return [[w for w in row if w != PAD] for row in found.words[image].tolist()]


def anything(words: list[int]) -> set[int]:
    return set(range(WORDS)) - FORBIDDEN


@pytest.mark.parametrize("size", [1, 3, 5, 11])
@pytest.mark.parametrize("penalty", [0.0, 0.7])
@pytest.mark.parametrize("end", [-2.0, 2.0])
def test_beam_search_equals_the_plain_one(size: int, penalty: float, end: float) -> None:
    table = Table(IMAGES, WORDS, end=end)
    found = run(BeamSearch(size, length_penalty=penalty, limits=Limits(max_words=7)), table)
    for image in range(IMAGES):
        plain = plain_beam(table.scores(image), size=size, max_words=7, penalty=penalty, allowed=anything)
        assert sentences(found, image) == [words for words, _ in plain]
        torch.testing.assert_close(found.scores[image], torch.tensor([score for _, score in plain]))


@pytest.mark.parametrize("size", [60, 120])
def test_a_beam_wider_than_what_may_be_said_finds_every_sentence_once(size: int) -> None:
    table = Table(2, 8, seed=3)  # the end and four words
    found = run(BeamSearch(size, length_penalty=0.7, limits=Limits(max_words=4, min_words=2, block_repeats=1)), table)
    for image in range(2):
        every = [[*body, END] for length in (2, 3) for body in permutations(range(4, 8), length)]
        every += [list(body) for body in permutations(range(4, 8), 4)]
        every.sort(key=lambda words: -_score(table, image, words, 0.7))
        possible = found.scores[image] > float("-inf")
        assert [s for s, may in zip(sentences(found, image), possible.tolist(), strict=True) if may] == every


def _score(table: Table, image: int, words: list[int], penalty: float) -> float:
    of = table.scores(image)
    total = sum(float(of(words[:place]).log_softmax(-1)[word]) for place, word in enumerate(words))
    return total / len(words) ** penalty


def test_a_beam_of_one_is_greedy() -> None:
    table = Table(IMAGES, WORDS, end=0.5)
    found = run(BeamSearch(1, limits=Limits(max_words=9)), table)
    for image in range(IMAGES):
        said: list[int] = []
        while len(said) < 9 and (not said or said[-1] != END):
            scores = table.scores(image)(said)
            scores[list(FORBIDDEN)] = -torch.inf
            said.append(int(scores.argmax()))
        assert sentences(found, image) == [said]


def test_log_probabilities_are_those_of_the_words() -> None:
    table = Table(IMAGES, WORDS)
    found = run(BeamSearch(4, length_penalty=1.0, limits=Limits(max_words=6)), table)
    for image in range(IMAGES):
        for said, total in zip(sentences(found, image), found.log_probabilities[image].tolist(), strict=True):
            logs = [float(table.scores(image)(said[:i]).log_softmax(0)[w]) for i, w in enumerate(said)]
            assert total == pytest.approx(sum(logs), abs=1e-4)


def test_an_image_is_answered_alone_as_among_others() -> None:
    table = Table(IMAGES, WORDS, end=1.0)
    together = run(BeamSearch(3, limits=Limits(max_words=8)), table)
    alone = Table(IMAGES, WORDS, end=1.0)
    alone.one, alone.two = alone.one[2:3], alone.two[2:3]
    assert sentences(run(BeamSearch(3, limits=Limits(max_words=8)), alone), 0) == sentences(together, 2)


@pytest.mark.parametrize("penalty", [0.0, 0.7])
@pytest.mark.parametrize("groups", [1, 2])
def test_images_that_are_done_leave_and_their_sentences_stay(penalty: float, groups: int) -> None:
    search = BeamSearch(4, groups=groups, length_penalty=penalty, limits=Limits(max_words=12))
    together = Table(IMAGES, WORDS)
    together.one[..., END] += torch.tensor([30.0, -30.0, 30.0, 30.0, 1.0, 30.0])[:, None]  # the second one never ends
    found = run(search, together)
    assert together.asked == sorted(together.asked, reverse=True)
    assert together.asked[0] == IMAGES
    assert together.asked[-1] < IMAGES // 2
    for image in range(IMAGES):
        alone = Table(IMAGES, WORDS)
        alone.one, alone.two = together.one[image : image + 1], together.two[image : image + 1]
        expected = run(search, alone)
        assert sentences(found, image) == sentences(expected, 0)
        assert torch.equal(found.scores[image], expected.scores[0])


def test_shorter_sentences_than_asked_for_are_not_written() -> None:
    found = run(BeamSearch(3, limits=Limits(max_words=8, min_words=4)), Table(IMAGES, WORDS, end=9.0))
    assert int(found.lengths.min()) == 5  # four words and the end, which is what this decoder wants to say at once


@pytest.mark.parametrize("size", [1, 2, 3])
def test_no_run_of_words_is_repeated_when_repeats_are_blocked(size: int) -> None:
    def allowed(words: list[int]) -> set[int]:
        runs = {tuple(words[i : i + size]) for i in range(len(words) - size + 1)}
        return {w for w in anything(words) if tuple([*words, w][-size:]) not in runs or len(words) < size - 1}

    table = Table(IMAGES, WORDS, end=-3.0)
    found = run(BeamSearch(3, limits=Limits(max_words=9, block_repeats=size)), table)
    for image in range(IMAGES):
        plain = plain_beam(table.scores(image), size=3, max_words=9, allowed=allowed)
        assert sentences(found, image) == [words for words, _ in plain]


def test_first_and_required_words_are_said() -> None:
    limits = Limits(max_words=6, first=(7, 8), required=(5, 9, 7))
    found = run(BeamSearch(3, limits=limits), Table(IMAGES, WORDS, end=4.0))
    for image in range(IMAGES):
        for said in sentences(found, image):
            assert said[:2] == [7, 8]
            assert {5, 9} <= set(said)


def test_a_word_required_twice_is_required_once() -> None:
    once, twice = (Limits(max_words=6, required=words) for words in ((5, 9), (5, 9, 5, 9)))
    scores, said = torch.randn(2, 3, WORDS), torch.tensor([[[7, 8], [5, 8], [5, 9]]] * 2)
    torch.testing.assert_close(twice.apply(scores.clone(), said), once.apply(scores.clone(), said))
    table = Table(IMAGES, WORDS)
    torch.testing.assert_close(
        run(BeamSearch(3, limits=twice), table).words, run(BeamSearch(3, limits=once), table).words
    )


def test_forbidden_words_are_not_said() -> None:
    table = Table(IMAGES, WORDS)
    table.one[..., UNKNOWN] += 20
    found = run(BeamSearch(3, limits=Limits(max_words=6)), table)
    assert not (found.words == UNKNOWN).any()
    assert (run(BeamSearch(3, limits=Limits(max_words=6, forbidden=(PAD, START))), table).words == UNKNOWN).any()


@pytest.mark.parametrize(
    "wrong",
    [{"max_words": 0}, {"max_words": 3, "min_words": 3}, {"max_words": 2, "required": (5, 6)}, {"required": (PAD,)}],
)
def test_limits_that_nothing_can_obey_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Limits(**wrong)  # type: ignore[arg-type]


def test_diverse_groups_without_a_penalty_are_equal_beams() -> None:
    table = Table(IMAGES, WORDS)
    one = run(BeamSearch(2, limits=Limits(max_words=6)), table)
    both = run(BeamSearch(4, groups=2, diversity=0.0, limits=Limits(max_words=6)), table)
    for image in range(IMAGES):
        alone, twice = sentences(one, image), sentences(both, image)
        assert sorted(twice) == sorted([*alone, *alone])


def test_a_penalty_makes_groups_differ() -> None:
    table = Table(IMAGES, WORDS)
    both = run(BeamSearch(4, groups=4, diversity=50.0, limits=Limits(max_words=6)), table)
    for image in range(IMAGES):
        firsts = [said[0] for said in sentences(both, image)]
        assert len(set(firsts)) == 4


def test_the_first_diverse_group_is_ordinary_beam_search() -> None:
    table = Table(IMAGES, WORDS)
    one = run(BeamSearch(2, limits=Limits(max_words=6)), table)
    both = run(BeamSearch(4, groups=2, diversity=3.0, limits=Limits(max_words=6)), table)
    for image in range(IMAGES):
        assert all(said in sentences(both, image) for said in sentences(one, image))


def test_samples_come_from_the_nucleus_and_with_its_frequencies() -> None:
    scores = torch.log(torch.tensor([1e-9, 1e-9, 1e-9, 0.2, 0.4, 0.3, 0.1]))

    def step(state: State, words: torch.Tensor) -> tuple[torch.Tensor, State]:
        return scores.expand(*words.shape, -1).clone(), state

    search = NucleusSampling(4000, top_p=0.65, limits=Limits(max_words=1, forbidden=()))
    drawn = search(step, State({}, {}), num_images=1, device=CPU).words[0, :, 0]
    shares = torch.bincount(drawn, minlength=7) / 4000
    torch.testing.assert_close(shares, torch.tensor([0, 0, 0, 0, 4 / 7, 3 / 7, 0]), atol=0.03, rtol=0)


def test_all_of_the_mass_is_a_nucleus_too() -> None:
    table = Table(IMAGES, WORDS, end=1.0)
    found = run(NucleusSampling(3, top_p=1.0, limits=Limits(max_words=6)), table)
    again = run(NucleusSampling(3, top_p=1.0, limits=Limits(max_words=6)), table)
    assert torch.equal(found.words, again.words)
    other = run(NucleusSampling(3, top_p=1.0, seed=1, limits=Limits(max_words=6)), table)
    assert not torch.equal(found.words[..., 0], other.words[..., 0])


def test_a_beam_that_does_not_divide_into_groups_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple of groups"):
        BeamSearch(5, groups=2)


@pytest.mark.parametrize("size", [1, 2])
def test_a_sentence_that_nothing_may_follow_is_impossible_in_every_search(size: int) -> None:
    """Two words, none of which may be said twice, and at least three are asked for."""
    scores = torch.tensor([0.0, 0.0, 0.0, 0.0, 0.3, 0.1])

    def step(state: State, words: torch.Tensor) -> tuple[torch.Tensor, State]:
        return scores.expand(*words.shape, -1).clone(), state

    limits = Limits(max_words=5, min_words=3, block_repeats=1)
    searches: list[BeamSearch | NucleusSampling] = [
        BeamSearch(size, limits=limits),
        NucleusSampling(size, limits=limits),
    ]
    for search in searches:
        found = search(step, State({}, {}), num_images=2, device=CPU)
        assert (found.log_probabilities == -torch.inf).all()
        assert (found.scores == -torch.inf).all()
    assert set(found.words.flatten().tolist()) == {4, 5}  # and nothing that may not be said


def test_a_sample_that_is_stuck_does_not_keep_others_from_ending() -> None:
    scores = torch.tensor([0.0, 0.0, 0.0, 1.0, 0.3, 0.1])

    def step(state: State, words: torch.Tensor) -> tuple[torch.Tensor, State]:
        given = scores.expand(*words.shape, -1).clone()
        others = torch.arange(6) != END
        return given.masked_fill((words == 5)[..., None] & others, -torch.inf), state  # a 5 is the last word

    search = NucleusSampling(40, top_p=1.0, limits=Limits(max_words=9, min_words=2))
    found = search(step, State({}, {}), num_images=1, device=CPU)
    stuck = found.words[..., 0] == 5  # one word, where two are asked for
    assert 0 < int(stuck.sum()) < 40
    assert (found.log_probabilities[stuck] == -torch.inf).all()
    assert found.log_probabilities[~stuck].isfinite().all()
