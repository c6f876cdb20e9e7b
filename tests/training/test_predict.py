"""Answers to a whole data set: in its order, each image encoded as seldom as can be."""

from __future__ import annotations

import torch

from chiasm.data.example import Example
from chiasm.models.lxmert import Lxmert
from chiasm.training.predict import predict
from tests.serve.small import QUESTIONS, picture, small_bundle

PICTURES = [picture(i) for i in range(4)]


def questions(count: int) -> list[Example]:
    """Of three lengths, about four images in turn."""
    return [
        Example(f"q{i}", {"text": QUESTIONS[i % len(QUESTIONS)], "images": (PICTURES[i % 4],)}) for i in range(count)
    ]


def test_questions_about_one_image_share_its_encoding_and_come_back_in_order() -> None:
    rows = questions(48)
    bundle = small_bundle(rows)
    assert isinstance(bundle.model, Lxmert)
    bundle.model.encoder.fewest_in_group = 8  # as at full width
    encoded: list[int] = []
    layer = bundle.model.encoder.object_layers[0]
    hook = layer.register_forward_hook(lambda _, given, __: encoded.append(len(given[0])))
    answers = predict(bundle.model, bundle.task, bundle.dataset(rows), batch_size=24)
    hook.remove()
    assert encoded == [2, 2], "four images in two batches"
    assert [a.id for a in answers] == [row.id for row in rows]
    for row, answer in zip(rows, answers, strict=True):
        (alone,) = predict(bundle.model, bundle.task, bundle.dataset([row]))
        assert alone.answer == answer.answer
        assert abs(alone.probability - answer.probability) < 1e-5


def test_without_images_texts_of_like_length_are_answered_together() -> None:
    rows = questions(48)
    bundle = small_bundle(rows, use_images=False)
    shapes: list[tuple[int, ...]] = []
    table = bundle.model.get_input_embeddings()  # type: ignore[operator]
    table.register_forward_hook(lambda _, given, __: shapes.append(tuple(given[0].shape)))
    predict(bundle.model, bundle.task, bundle.dataset(rows), batch_size=16, positions=torch.arange(48))
    assert [rows for rows, _ in shapes] == [16, 16, 16]
    assert len({length for _, length in shapes}) == 3
