"""A dialogue with its true and given emotions and what was read, as a table of text: COIN's figures 3 and 5."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from chiasm.data.conversation import Conversation
from chiasm.data.example import DataError, Example
from chiasm.explain.evidence import observe
from chiasm.training.bundle import Bundle
from chiasm.training.predict import predict

WIDTH = 60  # characters of an utterance in one line


def case_study(bundle: Bundle, examples: Sequence[Example]) -> str:
    """One line or more for each utterance: who speaks, the words, the true and the given emotion, * where they differ.

    `examples` are utterances of one dialogue, in any order. Raises `DataError` when they are of several.
    """
    dialogue = _the_dialogue(examples)
    answers = predict(bundle.model, bundle.task, bundle.dataset(examples))
    said = {e.values["position"]: (e.values["answer"], a.answer) for e, a in zip(examples, answers, strict=True)}
    rows = [("speaker", "utterance", "true", "given")]
    for position, speaker in enumerate(dialogue.speakers):
        true, given = said.get(position, (None, None))
        wrong = "*" if given is not None and true is not None and true != given else ""
        lines = textwrap.wrap(_words(dialogue, position), WIDTH) or [""]
        rows.append((speaker, lines[0], str(true or "-"), f"{given or '-'}{wrong}"))
        rows += [("", line, "", "") for line in lines[1:]]
    return _aligned(rows)


def reading(bundle: Bundle, example: Example) -> str:
    """What one utterance read in its dialogue: a line for each utterance of the window, with the weights of each layer.

    Raises `DataError` when the model has no evidence of reading.
    """
    batch = bundle.dataset([example])[0]
    _, maps = observe(bundle.model, batch)
    read = [one for one in maps if one.evidence.query == "utterance"]
    if not read:
        raise DataError(f"the model {bundle.recipe.model!r} does not show what it reads")
    dialogue = batch.dialogue
    assert dialogue is not None
    first = example.values["position"] - int(dialogue.query[0])
    conversation = example.values["dialogue"]
    layers = [layer[0, 0, 0].tolist() for one in read for layer in one.layers]
    rows = [("speaker", "utterance", *(f"read {n}" for n in range(1, len(layers) + 1)))]
    for slot in range(dialogue.attention_mask.shape[1]):
        words = textwrap.shorten(_words(conversation, first + slot), WIDTH)
        weights = (f"{layer[slot]:.2f}" for layer in layers)
        rows.append((conversation.speakers[first + slot], words, *weights))
    return _aligned(rows)


def _the_dialogue(examples: Sequence[Example]) -> Conversation:
    found = {id(e.values["dialogue"]): e.values["dialogue"] for e in examples}
    if len(found) != 1:
        raise DataError(f"a case study is of one dialogue; the examples are of {len(found)}")
    (dialogue,) = found.values()
    assert isinstance(dialogue, Conversation)
    return dialogue


def _words(dialogue: Conversation, position: int) -> str:
    return dialogue.texts[position] if dialogue.texts is not None else f"(utterance {position})"


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(lines)
