"""Captioning and translation: what is learnt, what is said, and what it is worth."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from chiasm.batch import Output
from chiasm.data.example import DataError, Example
from chiasm.data.references import ReferenceDataset
from chiasm.data.words import END, PAD
from chiasm.metrics import translation
from chiasm.metrics.captions import bleu
from chiasm.tasks import Prediction
from chiasm.tasks.caption import HEADLINES, Caption
from chiasm.tasks.translate import Translate

AGREED = ["a red cube on the grass", "a red cube on grass", "the red cube on the grass", "red cube on the grass"]
OUTLIER = "several things"


def images(*captions: list[str] | None) -> list[Example]:
    return [Example(str(i), {"images": (f"{i}.png",), "answer": texts}) for i, texts in enumerate(captions)]


def rows(*pairs: tuple[str, str]) -> list[Example]:
    return [Example(str(i), {"text": one, "answer": two}) for i, (one, two) in enumerate(pairs)]


def answer(task: Caption | Translate, *sentences: list[int]) -> list[Prediction]:
    longest = max(map(len, sentences))
    words = torch.tensor([[*s, *[PAD] * (longest - len(s))] for s in sentences])[:, None]
    logs = torch.full((len(sentences), 1), -2.0)
    states = {"generated": words, "log_probabilities": logs}
    return task.decode(Output({"words": logs[:, 0]}, states), [str(i) for i in range(len(sentences))])


def test_an_outlier_among_agreeing_captions_is_less_valid() -> None:
    others = ["a blue ball in the snow", "a blue ball", "some snow", "the ball is blue", "blue ball in snow"]
    train = images([*AGREED, OUTLIER], others)
    task = Caption(min_count=1, sampling="validity").fit(train)
    shares = task.shares(train)
    assert shares[:5].sum() == pytest.approx(1)
    assert shares[4] < 1 / 5
    assert shares[4] == shares[:5].min()
    assert shares[5:].sum() == pytest.approx(1)


def test_validity_is_of_training_captions_only() -> None:
    train = images([*AGREED, OUTLIER], ["a blue ball", "the blue ball"])
    task = Caption(min_count=1, sampling="validity").fit(train)
    held_out = [Example("new", {"images": ("new.png",), "answer": [*AGREED, OUTLIER]})]
    assert task.shares(held_out).tolist() == [0.2] * 5


def test_without_sampling_or_smoothing_no_validity_is_computed() -> None:
    task = Caption(min_count=1).fit(images([*AGREED, OUTLIER], ["a ball"]))
    assert task._valid == {}
    assert task.shares(images([*AGREED, OUTLIER])).tolist() == [0.2] * 5


def test_the_data_set_of_a_task_draws_by_validity() -> None:
    train = images([*AGREED, OUTLIER], ["a blue ball", "the blue ball", "ball", "snow", "blue"])
    task = Caption(min_count=1, sampling="validity", smoothing="references").fit(train)
    data = task.dataset(train, {})
    assert isinstance(data, ReferenceDataset)
    drawn = []
    for epoch in range(400):
        data.visit = (0, epoch)
        drawn.append(int(data.draw(torch.tensor([0]))))
    assert np.bincount(drawn, minlength=5)[4] / 400 < task.shares(train)[4] + 0.05
    assert data.batch(torch.arange(2)).targets["words"].shape[-1] == 6  # the drawn one and five


def test_sentences_end_at_their_end_and_carry_their_probability() -> None:
    task = Translate(min_count=1).fit(rows(("x", "the dog runs")))
    numbers = {word: i for i, word in enumerate(task.vocabulary.words)}
    said = answer(task, [numbers["the"], numbers["dog"], END], [END])
    assert [p.answer for p in said] == ["the dog", ""]
    assert said[0].probability == pytest.approx(math.exp(-2 / 3))
    assert said[0].heads["words"] == ["the", "dog", "[SEP]"]


def test_an_example_that_no_sentence_fits_is_named_with_the_reason() -> None:
    task = Translate(min_count=1).fit(rows(("x", "the dog runs")))
    states = {"generated": torch.full((1, 1, 2), 4), "log_probabilities": torch.full((1, 1), -math.inf)}
    output = Output({"words": torch.zeros(1)}, states)
    with pytest.raises(DataError, match="7: no sentence obeys the limits"):
        task.decode(output, ["7"])
    states["log_probabilities"] = torch.full((1, 1), math.nan)
    with pytest.raises(DataError, match="scores are NaN for 7"):
        task.decode(Output({"words": torch.zeros(1)}, states), ["7"])


def test_the_explained_score_is_the_log_odds_of_the_probability() -> None:
    task = Translate()
    mean = torch.tensor([-0.7, -0.001, 0.0])
    score = task.score_of(Output({"words": mean}), [0, 0, 0])
    torch.testing.assert_close(score.sigmoid(), mean.exp(), atol=1e-5, rtol=0)
    assert bool(score.isfinite().all())


def test_a_task_survives_saving(tmp_path: Path) -> None:
    for task in (
        Caption(min_count=1, sampling="validity").fit(images(AGREED, ["a ball", "ball"])),
        Translate(min_count=1, smoothing="label").fit(rows(("x", "Das Haus."))),
    ):
        task.save(tmp_path)
        loaded = type(task).load(tmp_path)
        assert loaded.options == task.options
        assert loaded.vocabulary.words == task.vocabulary.words
        assert loaded.vocabulary.encode(["das Haus ball"]) == task.vocabulary.encode(["das Haus ball"])


def test_a_perfect_translation_has_bleu_one_and_case_does_not_matter() -> None:
    train = rows(("a", "Der Hund läuft."), ("b", "Ein Mann, der schläft!"))
    task = Translate(min_count=1).fit(train)
    said = answer(task, *task.vocabulary.encode([e.values["answer"] for e in train]))
    measures = task.evaluate(said, train)
    assert measures["bleu"].value == pytest.approx(1)
    assert measures["length_ratio"].value == pytest.approx(1)
    assert measures["vocabulary_usage"].value == 9


def test_bleu_is_sacrebleus_and_ours_agrees_where_nothing_is_smoothed() -> None:
    said = ["the small dog runs over the green grass", "a man is sleeping on a bench today"]
    wanted = ["the little dog runs over the green grass .", "a man is sleeping on the bench"]
    found = translation.score(said, wanted)["bleu"]
    ours = bleu.score(said, [[w] for w in wanted])["bleu4"]
    assert found.value == pytest.approx(ours.value, abs=1e-6)
    assert found.low <= found.value <= found.high
    assert "case:lc" in translation.signature()
    assert "tok:13a" in translation.signature()


def test_unsmoothed_bleu_is_nltks() -> None:
    """Counted by hand as nltk's `corpus_bleu` does: a sentence of fewer than n tokens still divides by one n-gram."""
    said = ["the dog runs over the grass", "a man"]
    wanted = ["the dog runs on the grass", "a man sleeps"]
    assert translation.unsmoothed(said, wanted).value == 0  # no 4-gram is right
    said[0], wanted[0] = said[0] + " today", wanted[0].replace("on", "over")
    shares = (6 + 2) / (7 + 2), (5 + 1) / (6 + 1), (4 + 0) / (5 + 1), (3 + 0) / (4 + 1)
    found = translation.unsmoothed(said, wanted)
    assert found.value == pytest.approx(math.prod(shares) ** (1 / 4))  # 9 words for 9: no brevity penalty
    assert found.low <= found.value <= found.high
    short = translation.unsmoothed(["the dog runs over"], ["the dog runs over the grass"])
    assert short.value == pytest.approx(math.exp(1 - 6 / 4))
    assert translation.unsmoothed([""], ["a man"]).value == 0


def test_unsmoothed_bleu_is_of_the_words_as_the_model_cuts_them() -> None:
    train = rows(("a", "Der Hund, der läuft."), ("b", "Ein Mann schläft!"))
    task = Translate(min_count=1).fit(train)
    said = answer(task, *task.vocabulary.encode([e.values["answer"] for e in train]))
    assert task.evaluate(said, train)["bleu_unsmoothed"].value == pytest.approx(1)


def test_captions_are_measured_against_all_references() -> None:
    train = images(AGREED, ["a blue ball", "the blue ball in the snow"])
    task = Caption(min_count=1).fit(train)
    said = answer(task, *task.vocabulary.encode(["a red cube on the grass", "the blue ball in the snow"]))
    measures = task.evaluate(said, train)
    assert measures["bleu4"].value == pytest.approx(1)
    assert measures["cider_d"].value > 1


def test_the_measure_that_training_follows_can_be_chosen(tmp_path: Path) -> None:
    assert Caption().headline == "cider_d"
    train = images(AGREED, ["a ball", "ball"])
    task = Caption(min_count=1, headline="bleu4").fit(train)
    task.save(tmp_path)
    assert Caption.load(tmp_path).headline == "bleu4"
    said = answer(task, *task.vocabulary.encode(["a red cube on the grass", "a ball"]))
    for headline in HEADLINES:
        assert headline in task.evaluate(said, train)
    with pytest.raises(ValueError, match="headline is 'blue4': one of cider_d, cider, bleu4"):
        Caption(headline="blue4")  # type: ignore[arg-type]


def test_missing_and_wrong_answers_are_named(tmp_path: Path) -> None:
    task = Caption(min_count=1).fit(images(AGREED))
    with pytest.raises(DataError, match="no caption to compare with for 0"):
        task.evaluate(answer(task, [END]), images(None))
    with pytest.raises(DataError, match="no sentence, and no list of sentences"):
        Caption().fit([Example("0", {"answer": [3]})])
    with pytest.raises(DataError, match="has a sentence to learn"):
        Caption().fit(images(None))
    for make in (Caption, Translate):
        with pytest.raises(ValueError, match="alpha is 2"):
            make(smoothing="label", alpha=2.0)
    with pytest.raises(ValueError, match="only taught"):
        task.decode(Output({}), ["0"])


@pytest.mark.parametrize("task", [Caption(), Translate()])
def test_examples_without_a_sentence_cannot_be_measured(task: Caption | Translate) -> None:
    texts = ["a dog", ["a dog", "a cat"], None, math.nan, "", " ", []]
    examples = [Example(str(i), {"answer": text}) for i, text in enumerate(texts)]
    assert [task.labelled(example) for example in examples] == [True, True, *[False] * 5]


def test_submissions_are_the_official_files(tmp_path: Path) -> None:
    Caption().submission([Prediction("391895", "a man", 0.5)], tmp_path / "c.json")
    assert json.loads((tmp_path / "c.json").read_text()) == [{"image_id": 391895, "caption": "a man"}]
    for name in ("007", "²", "٣", "a.png"):  # no numbers, or not as they are written
        Caption().submission([Prediction(name, "a man", 0.5)], tmp_path / "c.json")
        assert json.loads((tmp_path / "c.json").read_text()) == [{"image_id": name, "caption": "a man"}]
    Translate().submission([Prediction("a", "x y", 0.5), Prediction("b", "z", 0.5)], tmp_path / "t.txt")
    assert (tmp_path / "t.txt").read_text() == "x y\nz\n"
