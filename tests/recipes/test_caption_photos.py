"""Real photographs and their captions go through training, searching, measuring and answering: a smoke test."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from chiasm.serve.predictor import Predictor
from chiasm.tasks import Prediction
from chiasm.training.recipe import load_recipe
from chiasm.training.run import train


@pytest.mark.slow
def test_a_captioner_is_trained_on_photographs_and_writes_words_about_another(
    shared_data: Callable[..., Path], tmp_path: Path
) -> None:
    photographs = shared_data("coco_mini")
    result = train(load_recipe("caption_photos"), photographs, tmp_path / "run", show=False)
    lines = [json.loads(text) for text in (result.out / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    losses = [line["loss"] for line in lines if "loss" in line]
    assert losses[-1] < 0.8 * losses[0]
    assert result.metrics["validation"]["cider_d"].n == 79
    assert result.metrics["validation"]["bleu1"].value > 0.2
    predictor = Predictor.load(result.out / "bundle")
    photograph = min((photographs / "val2017").glob("*.jpg"))
    (answer,) = predictor.predict([{"id": "1", "image": str(photograph)}])
    assert isinstance(answer, Prediction)
    assert set(answer.answer.split()) <= set(predictor.bundle.task.vocabulary.words)  # type: ignore[attr-defined]
    assert answer.answer.split()
