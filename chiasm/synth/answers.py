"""Ten people answer a question, as for VQA v2: most carefully, one or the other not."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from random import Random

from chiasm.synth import world
from chiasm.synth.question import Question

PEOPLE = 10
MISTAKES = 0.06  # how often one person's answer is wrong
MOST_WRONG = 3  # of the ten: the majority is always right

QUESTION_TYPES = (
    *("what color is the", "what color is", "what is the color of the", "which color does the", "what is the"),
    *("what is", "what kind of thing is", "what size is", "what does the", "what", "which material is", "which"),
    *("how many", "how big is", "is there a", "is there", "is the", "is", "are there any", "are there", "are the"),
    *("do you see", "do the", "do"),
)


@dataclass(frozen=True)
class Crowd:
    """What ten people say."""

    answers: tuple[tuple[str, str], ...]  # (answer, "yes" | "maybe" | "no": how sure)
    answer_type: str  # "yes/no", "number" or "other"
    question_type: str  # how the question begins

    @property
    def most_common(self) -> str:
        """The answer that most people give."""
        return Counter(answer for answer, _ in self.answers).most_common(1)[0][0]


def _alternatives(answer: str, text: str) -> list[str]:
    """What somebody careless might say instead."""
    if answer in ("yes", "no"):
        return ["no" if answer == "yes" else "yes"]
    if answer.isdigit():
        return [str(int(answer) + 1), str(max(0, int(answer) - 1))]
    for values in (*world.VOCABULARY.values(), ("left", "right"), ("above", "below")):
        if answer in values:
            return [value for value in values if value != answer]
    raise ValueError(f"the answer {answer!r} to {text!r} is no word of the world")


def ask_ten(question: Question, rng: Random) -> Crowd:
    """Ten answers to one question; at most `MOST_WRONG` of them wrong."""
    wrong = min(MOST_WRONG, sum(rng.random() < MISTAKES for _ in range(PEOPLE)))
    careless = set(rng.sample(range(PEOPLE), wrong))
    others = _alternatives(question.answer, question.text) if careless else []
    answers = tuple(
        (rng.choice(others), rng.choice(("maybe", "no"))) if person in careless else (question.answer, "yes")
        for person in range(PEOPLE)
    )
    answer_type = "number" if question.answer.isdigit() else "yes/no" if question.answer in ("yes", "no") else "other"
    beginning = question.text.lower() + " "
    question_type = max(
        (t for t in QUESTION_TYPES if beginning.startswith(t + " ")), key=len, default="none of the above"
    )
    return Crowd(answers, answer_type, question_type)
