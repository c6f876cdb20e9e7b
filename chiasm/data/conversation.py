"""A conversation: who says what, in order, with features per modality; and the examples that it makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chiasm.data.example import Example, RowError, raise_rows

Features = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Conversation:
    """U utterances by any number of speakers. Raises `RowError` when its parts do not fit together."""

    id: str
    speakers: tuple[str, ...]
    texts: tuple[str, ...] | None = None
    features: Mapping[str, Features] = field(default_factory=dict)  # modality -> (U, F)
    origin: str = ""  # "file.csv, line 12": shown in errors

    def __post_init__(self) -> None:
        count = len(self.speakers)
        if not count:
            self._refuse("the dialogue has no utterance")
        if self.texts is not None and len(self.texts) != count:
            self._refuse(f"{len(self.texts)} texts for {count} utterances")
        for name, values in self.features.items():
            if values.ndim != 2 or len(values) != count:
                self._refuse(f"{name} features of shape {values.shape} for {count} utterances")
            bad = np.flatnonzero(~np.isfinite(values).all(1))
            if len(bad):
                self._refuse(f"the {name} features of utterance {bad[0]} are not finite numbers")

    def __len__(self) -> int:
        return len(self.speakers)

    def _refuse(self, reason: str) -> None:
        raise RowError(reason, origin=self.origin, row_id=self.id)

    @classmethod
    def from_value(cls, value: Any, *, row_id: str, origin: str = "") -> Conversation:
        """What a row holds: a `Conversation`, or a list of utterances, each {"speaker": ..., "text": ...} and,
        under "features", a list of numbers for each modality. Raises `RowError`."""
        if isinstance(value, Conversation):
            return value
        if not isinstance(value, Sequence) or isinstance(value, str) or not value:
            raise RowError(
                f"the dialogue is {value!r}; a list of utterances is expected, each with a speaker and a text or "
                "features",
                origin=origin,
                row_id=row_id,
            )
        for number, turn in enumerate(value):
            if not isinstance(turn, Mapping) or "speaker" not in turn:
                raise RowError(f"utterance {number} of the dialogue has no speaker", origin=origin, row_id=row_id)
            if not isinstance(turn.get("text", ""), str):
                reason = f"the text of utterance {number} is {turn['text']!r}; text in quotes is expected"
                raise RowError(reason, origin=origin, row_id=row_id)
        texts = tuple(turn.get("text", "") for turn in value) if any("text" in turn for turn in value) else None
        speakers = tuple(str(turn["speaker"]) for turn in value)
        return cls(row_id, speakers, texts, _features(value, row_id, origin), origin)


def _features(turns: Sequence[Mapping[str, Any]], row_id: str, origin: str) -> dict[str, Features]:
    names = list(turns[0].get("features", {}))
    try:
        return {name: np.array([turn["features"][name] for turn in turns], dtype=np.float32) for name in names}
    except (KeyError, TypeError, ValueError) as error:
        reason = f"the utterances' features do not fit together ({error})"
        raise RowError(reason, origin=origin, row_id=row_id) from error


def examples_of(conversation: Conversation, answers: Sequence[Any]) -> list[Example]:
    """One example for each utterance: the dialogue, the utterance's position in it, its label (None: unknown).

    `info["cluster"]` is the dialogue: what is resampled in intervals and never divided between splits.
    """
    if len(answers) != len(conversation):
        raise RowError(
            f"{len(answers)} labels for {len(conversation)} utterances",
            origin=conversation.origin,
            row_id=conversation.id,
        )
    texts = conversation.texts or (None,) * len(conversation)
    return [
        Example(
            f"{conversation.id}_{position}",
            {"dialogue": conversation, "position": position, "text": text, "answer": answer},
            info={"cluster": conversation.id, "speaker": speaker},
            origin=conversation.origin,
        )
        for position, (speaker, text, answer) in enumerate(zip(conversation.speakers, texts, answers, strict=True))
    ]


def conversations(examples: Sequence[Example]) -> tuple[list[Conversation], NDArray[np.int64], NDArray[np.int64]]:
    """The distinct dialogues, and each example's dialogue and position in it, (n,) both.

    A row without a position asks about its dialogue's last utterance. Raises `RowError`, or several, naming rows.
    """
    found: dict[int, int] = {}
    distinct, which, position, errors = [], [], [], []
    for example in examples:
        value = example.values.get("dialogue")
        try:
            if id(value) not in found:
                distinct.append(Conversation.from_value(value, row_id=example.id, origin=example.origin))
                found[id(value)] = len(distinct) - 1
            index = found[id(value)]
            position.append(_position(example, len(distinct[index])))
            which.append(index)
        except RowError as error:
            errors.append(error)
    raise_rows(errors)
    return distinct, np.array(which, dtype=np.int64), np.array(position, dtype=np.int64)


def _position(example: Example, length: int) -> int:
    position = example.values.get("position", length - 1)
    if not isinstance(position, int) or isinstance(position, bool) or not 0 <= position < length:
        raise RowError(
            f"position {position!r} is not in the dialogue of {length} utterances (0 is the first)",
            origin=example.origin,
            row_id=example.id,
        )
    return position
