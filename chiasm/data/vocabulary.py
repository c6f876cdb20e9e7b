"""The answers a model can give, and what answer a row counts for."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from chiasm.data.example import DataError
from chiasm.data.normalise import normalise_answer

IGNORE = -1  # the target of an example without a known answer


class AnswerVocabulary:
    """The answers a model can give, numbered in a fixed order."""

    def __init__(self, answers: Sequence[str]) -> None:
        self.answers = tuple(answers)
        self.numbers = {answer: number for number, answer in enumerate(self.answers)}
        if not self.answers:
            raise DataError("an answer vocabulary needs at least one answer")
        if len(self.numbers) != len(self.answers):
            twice = next(answer for answer, count in Counter(self.answers).items() if count > 1)
            raise DataError(f"the answer {twice!r} is twice in the vocabulary")

    @classmethod
    def fit(cls, values: Iterable[Any], *, min_count: int = 1, max_size: int = 0, several_labels: bool = False) -> Self:
        """The answers that occur at least `min_count` times as the answer of a row, the commonest first.

        `max_size` keeps so many of them; 0 keeps all. A list means annotators, and counts once, as the answer that
        most of them gave; with `several_labels` it means labels, which all count. Raises `DataError` when no answer
        is left.
        """
        answers_of = labels_of if several_labels else gold_answers
        counts = Counter(answer for value in values for answer in answers_of(value) if answer)
        kept = sorted((a for a, count in counts.items() if count >= min_count), key=lambda a: (-counts[a], a))
        if not kept:
            raise DataError(
                f"no answer occurs at least {min_count} times among {counts.total()} answers ({len(counts)} different "
                "ones): are these training rows, and is the answer column the right one?"
            )
        return cls(kept[:max_size] if max_size else kept)

    def __len__(self) -> int:
        return len(self.answers)

    def __contains__(self, answer: str) -> bool:
        return answer in self.numbers

    def __getitem__(self, number: int) -> str:
        return self.answers[number]

    def number(self, answer: str) -> int:
        """The number of an answer, `IGNORE` when it is not known."""
        return self.numbers.get(answer, IGNORE)

    def save(self, path: Path) -> None:
        """Write a JSON list."""
        path.write_text(json.dumps(self.answers, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Self:
        """A JSON list of answers, or the {answer: number} file that LXMERT and GQA distribute. Raises `DataError`."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise DataError(f"the answer vocabulary {path} is not there") from None
        except json.JSONDecodeError as error:
            raise DataError(f"the answer vocabulary {path} is no valid JSON ({error})") from error
        if isinstance(content, dict) and sorted(content.values(), key=repr) == sorted(range(len(content)), key=repr):
            content = sorted(content, key=content.__getitem__)
        if not isinstance(content, list) or not all(isinstance(answer, str) for answer in content):
            raise DataError(f"{path} is no answer vocabulary: a list of texts, or an object {{answer: number}}, is")
        return cls(content)


def is_missing(value: Any) -> bool:
    """Whether there is no answer: None or NaN."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def half_character(text: str) -> str | None:
    """What is wrong with a text that cannot be written: JSON's escapes can name one half of a surrogate pair."""
    found = None if text.isascii() else re.search("[\ud800-\udfff]", text)
    return found and f"the text holds {found[0]!a}, which is half of a character: write the whole character, or none"


def text_of(value: Any) -> str:
    """A label as text: 3 -> "3", 3.0 -> "3", True -> "True"."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def gold_answers(value: Any) -> list[str]:
    """The answer that a row counts for, if any: a text, or the annotators' commonest (the first of equals).

    Annotators' answers are normalised unless all agree, as the official evaluation does.
    """
    if is_missing(value):
        return []
    if isinstance(value, Mapping):
        return [max(value, key=value.__getitem__)] if value else []
    if isinstance(value, (list, tuple)):
        given = [text_of(v) for v in value if not is_missing(v)]
        if len(set(given)) > 1:
            given = [normalise_answer(answer) for answer in given]
        return [Counter(given).most_common(1)[0][0]] if given else []
    return [text_of(value)]


def labels_of(value: Any) -> list[str]:
    """The labels of a row that may have several."""
    if is_missing(value):
        return []
    return [text_of(v) for v in (value if isinstance(value, (list, tuple, set)) else [value]) if not is_missing(v)]
