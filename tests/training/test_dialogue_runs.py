"""Dialogues through the pipeline: whole ones are held out, rates are halved, a bundle answers raw dialogues."""

from __future__ import annotations

from pathlib import Path

import pytest

from chiasm.data.example import Example, RowError
from chiasm.serve.predictor import Predictor
from chiasm.training.data import held_out
from chiasm.training.recipe import load_recipe
from chiasm.training.run import train
from chiasm.training.schedule import factor


def test_a_dialogue_is_never_divided_between_training_and_validation() -> None:
    rows = [Example(f"{d}_{i}", {}, info={"cluster": d}) for d in range(20) for i in range(5)]
    train_rows, validation = held_out(rows, 0.1, seed=0)
    assert len(validation) == 10
    assert not {e.info["cluster"] for e in train_rows} & {e.info["cluster"] for e in validation}


def test_the_rate_is_halved_after_sixty_of_a_hundred_epochs() -> None:
    assert [factor("halving", 0.0, epoch / 100) for epoch in (0, 59, 60, 99)] == [1.0, 1.0, 0.5, 0.5]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("meld") / "run"
    recipe = load_recipe("coin_meld").tiny().with_settings(["training.epochs=2", "training.trackers=[]"])
    train(recipe, out=out, show=False)
    return out / "bundle"


TALK = [{"speaker": "Ann", "text": "i think rain it is never"}, {"speaker": "Bob", "text": "listen fine we had sun"}]


def test_a_bundle_answers_a_dialogue_as_a_list_of_utterances(bundle: Path) -> None:
    predictor = Predictor.load(bundle)
    last, first = predictor.predict(dialogue=TALK), predictor.predict(dialogue=TALK, position=0)
    alone = predictor.predict(dialogue=TALK[:1])
    assert last.answer in {"hap", "neu", "exc", "sad", "fru", "ang"}
    assert first.alternatives == alone.alternatives  # what Bob says later does not count


def test_a_dialogue_that_cannot_be_answered_says_why(bundle: Path) -> None:
    with pytest.raises(RowError, match="utterance 1 of the dialogue has no speaker"):
        Predictor.load(bundle).predict(dialogue=[TALK[0], {"text": "x"}])
    with pytest.raises(RowError, match="position 5 is not in the dialogue of 2"):
        Predictor.load(bundle).predict(dialogue=TALK, position=5)
