"""One table of answers for several question sets, and how an answer is written in it (LXMERT, section 3.2).

The released table has 9,500 answers of VQA, GQA and VG-QA; its order is the order of the published weights' rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from chiasm.data.example import DataError
from chiasm.data.sources._files import read_json
from chiasm.data.vocabulary import AnswerVocabulary

_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_SAME = {word: str(number) for number, word in enumerate(_NUMBERS, start=1)} | {"grey": "gray"}


def table_answer(answer: str) -> str:
    """An answer as the table writes it: lower case, without a final full stop and a leading article, digits for the
    numbers to ten, "gray" for "grey"."""
    if not answer:
        return ""
    answer = answer.lower()
    if answer.endswith("."):
        answer = answer[:-1].strip()
    for article in ("a ", "an ", "the "):  # each once, in this order, as released
        if answer.startswith(article):
            answer = answer[len(article) :].strip()
    return _SAME.get(answer, answer)


def table_scores(scores: Mapping[str, float]) -> dict[str, float]:
    """{answer: score} under the table's spelling; of two answers that become one the later counts, as released."""
    return {table_answer(answer): score for answer, score in scores.items()}


def fit_table(scores: Iterable[Mapping[str, float]], *, max_size: int) -> AnswerVocabulary:
    """The `max_size` answers that rows give most often, in alphabetical order as in the released table."""
    counts = Counter(table_answer(answer) for given in scores for answer, score in given.items() if score > 0)
    counts.pop("", None)
    if not counts:
        raise DataError("no sentence has an answer: leave 'answer' out of the losses, or add a set of questions")
    kept = sorted(counts, key=lambda answer: (-counts[answer], answer))[:max_size]
    return AnswerVocabulary(sorted(kept))


def read_table(file: Path, *, sets: Sequence[str] = ()) -> AnswerVocabulary:
    """The table in a file: LXMERT's `all_ans.json`, a list of {"ans", "dsets"}, or a plain list of texts.

    `sets` limits it to the answers of these data sets ("vqa", "gqa", "visual7w"). Raises `DataError`.
    """
    if not file.is_file():
        raise DataError(f"the answer table {file} is not there")
    content = read_json(file)
    if isinstance(content, list) and content and all(isinstance(row, str) for row in content) and not sets:
        return AnswerVocabulary(content)
    rows = content if isinstance(content, list) else []
    if not rows or not all(isinstance(row, Mapping) and {"ans", "dsets"} <= set(row) for row in rows):
        raise DataError(f'{file} is no answer table: a list of {{"ans": text, "dsets": [names]}} is expected')
    kept = [str(row["ans"]) for row in rows if not sets or set(sets) & set(row["dsets"])]
    if not kept:
        known = ", ".join(sorted({name for row in rows for name in row["dsets"]}))
        raise DataError(f"{file} has no answer of {', '.join(sets)}; its data sets are {known}")
    return AnswerVocabulary(kept)
