"""The questions of a scene: which families, how many, and which answer decides which other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from chiasm.synth.forms import attributes, comparisons, existence, places, relations
from chiasm.synth.question import Question, entails
from chiasm.synth.refer import SceneIndex, phrase
from chiasm.synth.scene import Scene


@dataclass(frozen=True)
class Family:
    """A kind of question: how to ask it, and how often it is tried relative to the others."""

    ask: Callable[[SceneIndex, Random], Question | None]
    frequency: float
    at_most: int = 1  # times in one scene


FAMILIES: Mapping[str, Family] = {
    "query_attribute": Family(attributes.query_attribute, 9, 2),
    "query_name": Family(attributes.query_name, 5),
    "query_relation": Family(relations.query_relation, 100, 2),
    "query_word": Family(attributes.query_word, 8),
    "query_global": Family(places.query_global, 1.2),
    "verify_attribute": Family(attributes.verify_attribute, 4),
    "verify_relation": Family(relations.verify_relation, 8),
    "verify_global": Family(places.verify_global, 0.9),
    "exist": Family(existence.exist, 5),
    "choose_attribute": Family(attributes.choose_attribute, 3),
    "choose_name": Family(attributes.choose_name, 3),
    "choose_relation": Family(relations.choose_relation, 4),
    "choose_global": Family(places.choose_global, 0.9),
    "logical_and": Family(existence.logical_and, 5),
    "logical_or": Family(existence.logical_or, 5),
    "compare_attribute": Family(comparisons.compare_attribute, 6),
    "compare_size": Family(comparisons.compare_size, 6),
    "compare_position": Family(comparisons.compare_position, 9),
}
FOLLOW_UPS = 0.3  # how often a question about an attribute is followed by one that its answer decides
FOLLOW_UP_FORMS = (attributes.verify_attribute, attributes.choose_attribute)
TRIES = 12  # per question wanted
MOST_WORDS = 17  # with the question mark and BERT's two special tokens that makes 20, where most models cut


def ask(
    scene: Scene, *, seed: int, count: int, held_out: Mapping[str, str], families: Sequence[str] = ()
) -> list[Question]:
    """Up to `count` different questions about the scene, of the named families or of all.

    A family that is named twice is tried twice as often, and asked up to twice as often in one scene. The same
    arguments give the same questions.
    """
    rng = Random(f"questions/{seed}/{scene.image_id}")
    index = SceneIndex(scene, held_out)
    names = tuple(families) or tuple(FAMILIES)
    cumulated = tuple(accumulate(FAMILIES[name].frequency for name in names))
    asked: Counter[str] = Counter()
    found: dict[str, Question] = {}
    for name in rng.choices(names, cum_weights=cumulated, k=count * TRIES):
        if len(found) >= count:
            break
        family = FAMILIES[name]
        if asked[name] >= family.at_most * names.count(name):
            continue
        question = family.ask(index, rng)
        if question is None or question.text in found or question.text.count(" ") >= MOST_WORDS:
            continue
        found[question.text] = question
        asked[name] += 1
        if name == "query_attribute" and len(found) < count and rng.random() < FOLLOW_UPS:
            more = _follow_up(index, rng, question)
            if more is not None and more.family in names:
                found.setdefault(more.text, more)
    return list(found.values())


def _follow_up(index: SceneIndex, rng: Random, question: Question) -> Question | None:
    """A yes-or-no question, or a choice, about the same attribute of the same thing in the same words."""
    key, kind = next((fact[1], str(fact[2])) for fact in question.gives if fact[0] == "is")
    assert isinstance(key, frozenset)
    thing = next(iter(question.spans.values()))
    ordered = sorted(key)
    return rng.choice(FOLLOW_UP_FORMS)(index, rng, (thing, phrase(*ordered), kind))


def entailments(questions: list[Question]) -> list[list[int]]:
    """For each question, the positions of those whose answers follow from its own."""
    return [
        [position for position, other in enumerate(questions) if entails(question, other)] for question in questions
    ]
