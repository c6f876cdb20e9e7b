"""Validity scores against the sheet's values (section 11) and its planted truths (section 12)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chiasm.metrics.captions import cider, validity
from chiasm.metrics.captions.validity import agreement, probabilities

A, B, C, D = "a dog runs on grass", "a dog runs", "the cat sleeps", "a brown dog on grass"
TWO_IMAGES = [[A, B, D], ["a cat sleeps", "the cat sleeps on a bed", "a cat"]]


def test_probabilities_equal_the_sheets_softmax() -> None:
    (found,) = probabilities([np.array([1.2, 0.4, 0.8, 0.1, 0.5])])
    assert found == pytest.approx([0.339086, 0.152361, 0.227296, 0.112872, 0.168385], abs=5e-7)


def test_rouge_agreement_equals_the_sheets() -> None:
    found = agreement([[A, B, C, D]], metric="rouge_l")
    assert found[0] == pytest.approx([0.528469, 0.398693, 0, 0.441202], abs=5e-7)
    assert probabilities(found)[0] == pytest.approx([0.295488, 0.259525, 0.174192, 0.270795], abs=5e-7)


def test_cider_agreement_equals_the_sheets() -> None:
    found = agreement(TWO_IMAGES)
    assert found[0] == pytest.approx([3.630105, 2.967004, 1.628566], abs=1e-6)
    assert validity.validity(TWO_IMAGES)[0] == pytest.approx([0.605922, 0.312202, 0.081877], abs=1e-6)


def test_the_scale_of_cider_matters() -> None:
    found = probabilities([s / cider.SCALE for s in agreement(TWO_IMAGES)])
    assert found[0] == pytest.approx([0.363049, 0.339756, 0.297194], abs=1e-6)


def test_bleu4_agreement_is_that_of_single_sentences() -> None:
    from chiasm.metrics.captions import bleu

    texts = [A, D, "a brown dog runs on grass"]
    expected = [np.mean([bleu.scores([a], [[b]])[0, 3] for b in texts if b != a]) for a in texts]
    assert agreement([texts], metric="bleu4")[0] == pytest.approx(expected, rel=1e-12)
    assert max(expected) > 0.1


@pytest.mark.parametrize("metric", ["cider", "rouge_l", "bleu4"])
def test_the_outlier_among_agreeing_captions_is_the_least_valid(metric: str) -> None:
    agreeing = [
        "a red ball on the grass today",
        "a red ball on the grass",
        "the red ball on the grass",
        "a red ball on the green grass",
    ]
    image = [*agreeing, "two people talk"]
    found = validity.validity([image, ["a cat sleeps on a bed", "a cat"]], metric=metric)[0]
    assert found.argmin() == 4
    assert found[4] < 1 / 5


def test_permuting_references_permutes_their_validity() -> None:
    found = validity.validity(TWO_IMAGES)[0]
    turned = validity.validity([[TWO_IMAGES[0][k] for k in (2, 0, 1)], TWO_IMAGES[1]])[0]
    assert turned == pytest.approx(found[[2, 0, 1]], rel=1e-12)


def test_a_repeated_caption_gains_validity() -> None:
    before = validity.validity(TWO_IMAGES)[0]
    after = validity.validity([[*TWO_IMAGES[0], D], TWO_IMAGES[1]])[0]
    assert after[2] / after[1] > before[2] / before[1]
    assert after[2] == pytest.approx(after[3], rel=1e-12)


def test_one_reference_is_certain_and_any_number_may_differ_between_images() -> None:
    found = validity.validity([["a dog"], ["a cat", "the cat", "a cat sleeps"], [B]])
    assert [len(p) for p in found] == [1, 3, 1]
    assert found[0].tolist() == [1.0]
    assert [p.sum() for p in found] == pytest.approx([1, 1, 1])


def test_comparing_in_parts_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = agreement(TWO_IMAGES)
    monkeypatch.setattr(validity, "CHUNK", 2)
    for one, other in zip(agreement(TWO_IMAGES), whole, strict=True):
        assert one == pytest.approx(other, rel=1e-12)


def test_scores_are_kept_and_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = validity.validity(TWO_IMAGES, cache=tmp_path / "cache")
    monkeypatch.setattr(validity, "agreement", None)  # computing again would fail
    second = validity.validity(TWO_IMAGES, cache=tmp_path / "cache")
    assert [p.tolist() for p in first] == [p.tolist() for p in second]


def test_two_processes_that_keep_the_same_scores_write_different_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    save = np.save
    monkeypatch.setattr(np, "save", lambda file, values: (written.append(Path(file).name), save(file, values)))
    for place in ("one", "two"):
        validity.validity(TWO_IMAGES, cache=tmp_path / place)
    assert len(set(written)) == 2
    assert [len(list((tmp_path / place).iterdir())) for place in ("one", "two")] == [1, 1]


def test_what_is_kept_is_not_taken_for_other_captions_or_documents(tmp_path: Path) -> None:
    validity.validity(TWO_IMAGES, cache=tmp_path)
    other = validity.validity([[A, B, C], TWO_IMAGES[1]], cache=tmp_path)
    counted = validity.validity(TWO_IMAGES, cache=tmp_path, documents=[[A], [B], [C]])
    assert len(list(tmp_path.iterdir())) == 3
    assert other[0] == pytest.approx(validity.validity([[A, B, C], TWO_IMAGES[1]])[0])
    assert counted[0] == pytest.approx(validity.validity(TWO_IMAGES, documents=[[A], [B], [C]])[0])


def test_an_unknown_metric_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="unknown metric 'spice'"):
        validity.validity(TWO_IMAGES, metric="spice")
