"""BLEU, ROUGE-L and CIDEr against their definitions, the sheet's values, and the scorers of pycocoevalcap."""

from __future__ import annotations

import random

import numpy as np
import pytest

from chiasm.metrics.captions import bleu, cider, rouge
from chiasm.metrics.captions.ngrams import Index
from chiasm.metrics.captions.references import References

from . import plain

Captions = tuple[list[str], list[list[str]]]

A, B, C, D = "a dog runs on grass", "a dog runs", "the cat sleeps", "a brown dog on grass"
TWO_IMAGES = [[A, B, D], ["a cat sleeps", "the cat sleeps on a bed", "a cat"]]


def test_ngrams_are_counted_as_by_hand() -> None:
    index = Index(["a b a b", "", "b"])
    assert index.lengths.tolist() == [4, 0, 1]
    assert [t.num_grams for t in index.counts] == [2, 2, 2, 1]
    unigrams, bigrams = index.counts[0], index.counts[1]
    assert list(zip(unigrams.rows, unigrams.grams, unigrams.counts, strict=True)) == [(0, 0, 2), (0, 1, 2), (2, 1, 1)]
    assert list(zip(bigrams.rows, bigrams.grams, bigrams.counts, strict=True)) == [(0, 0, 2), (0, 1, 1)]


def test_words_that_the_index_does_not_hold_match_nothing_and_still_count() -> None:
    index = Index(["a b c", "c d"])
    found, lengths = index.look_up(["a b x b", "x x"])
    assert lengths.tolist() == [4, 2]
    assert [int(t.counts.sum()) for t in found] == [6, 4, 2, 1]
    strange = found[1].grams >= index.counts[1].num_grams
    assert strange.tolist() == [False, True, True, True]  # "a b"; "b x", "x b", "x x"
    assert len(set(found[1].grams.tolist())) == 4


def test_bleu_of_a_corpus_equals_its_definition(made_up: Captions) -> None:
    hypotheses, references = made_up
    found = bleu.score(hypotheses, references)
    assert [found[f"bleu{n}"].value for n in (1, 2, 3, 4)] == pytest.approx(
        plain.bleu(hypotheses, references), rel=1e-9
    )


def test_bleu_of_single_sentences_equals_its_definition(made_up: Captions) -> None:
    hypotheses, references = made_up
    expected = [plain.bleu([h], [r]) for h, r in zip(hypotheses, references, strict=True)]
    assert bleu.scores(hypotheses, references) == pytest.approx(np.array(expected), rel=1e-9, abs=1e-15)


def test_bleu_takes_the_shorter_of_two_references_as_close() -> None:
    assert bleu.statistics(["a b c"], [["a b", "a b c d"]])[0, -1] == 2


def test_rouge_equals_the_sheets_values() -> None:
    pairs = [(A, B), (B, A), (A, D), (D, A), (B, D), (D, B), (A, C), (C, D)]
    found = rouge.scores([first for first, _ in pairs], [[second] for _, second in pairs])
    expected = [0.785408, 0.717647, 0.8, 0.8, 0.478431, 0.523605, 0, 0]
    assert found == pytest.approx(np.array(expected), abs=5e-7)


def test_rouge_takes_the_best_precision_and_the_best_recall_of_any_references(made_up: Captions) -> None:
    hypotheses, references = made_up
    expected = [plain.rouge(h, r) for h, r in zip(hypotheses, references, strict=True)]
    assert rouge.scores(hypotheses, references) == pytest.approx(np.array(expected), rel=1e-12)


def test_common_subsequences_are_found_in_sentences_longer_than_a_machine_word() -> None:
    draw = random.Random(0)
    first = [" ".join(draw.choices("abc", k=100)) for _ in range(3)]
    second = [" ".join(draw.choices("abc", k=80)) for _ in range(3)]
    expected = [plain.common_length(a.split(), b.split()) for a, b in zip(first, second, strict=True)]
    assert rouge.common_lengths(first, second).tolist() == expected


def test_cider_of_pairs_equals_the_sheets_values() -> None:
    scorer = cider.Scorer(TWO_IMAGES)
    first, second = np.array([0, 0, 1, 1, 2, 2]), np.array([1, 2, 2, 0, 0, 1])
    found = scorer.compare(scorer.vectors, first, second)
    expected = [4.968542, 2.291667, 0.965466, 4.968542, 2.291667, 0.965466]
    assert found == pytest.approx(np.array(expected), abs=5e-7)


@pytest.mark.parametrize("clipped", [True, False])
def test_cider_equals_its_definition(made_up: Captions, clipped: bool) -> None:
    hypotheses, references = made_up
    found = cider.Scorer(references).scores(hypotheses, clipped=clipped)
    assert found == pytest.approx(np.array(plain.cider(hypotheses, references, clipped=clipped)), rel=1e-9)
    assert found.max() > 0.5


def test_document_frequencies_may_come_from_other_captions(made_up: Captions) -> None:
    hypotheses, references = made_up
    documents = [["a dog", "a dog and a ball"], ["the red cat"], ["grass in the dog"], ["a ball"]]
    found = cider.scores(hypotheses, references, documents=documents)
    assert found == pytest.approx(np.array(plain.cider(hypotheses, references, documents=documents)), rel=1e-9)
    assert not np.allclose(found, cider.scores(hypotheses, references))


def test_cider_of_one_document_is_zero() -> None:
    assert cider.scores(["a dog"], [["a dog", "the dog"]]).tolist() == [0.0]


def test_an_empty_hypothesis_scores_nothing() -> None:
    references = References([["a dog", "the dog"], ["a cat"]])
    assert cider.scores(["", "a cat"], references)[0] == 0
    assert rouge.scores(["", "a cat"], references)[0] == 0
    assert bleu.scores(["", "a cat"], references)[0].max() < 1e-6


def test_all_hypotheses_may_be_empty() -> None:
    references = [["a dog"], ["a cat"]]
    assert cider.scores(["", ""], references).tolist() == [0, 0]
    assert bleu.score(["", ""], references)["bleu4"].value < 1e-6


@pytest.mark.parametrize(
    ("hypotheses", "references", "said"),
    [
        (["a"], [["a"], ["b"]], "1 hypotheses for the references of 2 images"),
        (["a", "b"], [["a"], []], "image 1 has no reference"),
        (["a"], ["a dog"], "expected a list of strings"),
        ([None], [["a"]], "hypothesis 0 is None"),
        ([], [], "there are no references"),
    ],
)
def test_what_cannot_be_scored_is_refused_by_name(
    hypotheses: list[str], references: list[list[str]], said: str
) -> None:
    for measure in (bleu.scores, rouge.scores, cider.scores):
        with pytest.raises(ValueError, match=said):
            measure(hypotheses, references)


def test_scores_carry_intervals_over_images(made_up: Captions) -> None:
    hypotheses, references = made_up
    for found in (m.score(hypotheses, references) for m in (bleu, rouge, cider)):
        for estimate in found.values():
            assert estimate.low < estimate.value < estimate.high
            assert estimate.n == len(references)


def test_the_reference_scorers_agree(made_up: Captions) -> None:
    pytest.importorskip("pycocoevalcap", reason="pip install pycocoevalcap compares with the reference scorers")
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    hypotheses, references = made_up[0][1:], made_up[1][1:]  # ROUGE there counts an empty sentence as one word
    results = {i: [text] for i, text in enumerate(hypotheses)}
    truth = dict(enumerate(references))
    corpus, single = Bleu(4).compute_score(truth, results, verbose=0)
    found = bleu.score(hypotheses, references)
    assert [found[f"bleu{n}"].value for n in (1, 2, 3, 4)] == pytest.approx(corpus, rel=1e-9)
    assert pytest.approx(np.array(single), rel=1e-9) == bleu.scores(hypotheses, references).T
    for measure, expected in [
        (cider.scores, Cider().compute_score(truth, results)[1]),
        (rouge.scores, Rouge().compute_score(truth, results)[1]),
    ]:
        assert measure(hypotheses, references) == pytest.approx(np.array(expected), rel=1e-9)
