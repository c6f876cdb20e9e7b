"""What a question is: its words, answer, program, type, and what its answer gives away."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from chiasm.synth.programs import Step
from chiasm.synth.refer import Phrase

# What may be known about a scene: a key, and its value where the key alone does not say it.
#   ("is", properties of the referent, kind)              the referent's value of that kind
#   ("same", {referent, referent}, kind)                  whether both have the same value
#   ("order", {referent, referent}, "x" or "y" or "size") which of both comes first
#   ("contact", referent, relation, referent)             whether they touch so
#   ("place",)                                            the ground
#   ("some", properties)                                  that such a thing exists
Fact = tuple[object, ...]
Slot = str | tuple[str, int]  # words, or words and the number of the thing they denote

_SLOT = re.compile(r"^\{(\w+)\}([?.,]?)$")


@dataclass(frozen=True)
class Question:
    """One question about one scene.

    `gives` are the facts that follow from question and answer together, `needs` the facts that decide the answer; a
    question is entailed by another when the other gives all it needs. `needs` None: never entailed.
    """

    text: str
    answer: str
    family: str  # "query_relation": the readable type
    structural: str  # verify, query, choose, logical, compare
    semantic: str  # obj, attr, cat, rel, global: as GQA abbreviates them
    steps: tuple[Step, ...]
    statement: str  # the answer as a full sentence
    spans: Mapping[str, int] = field(default_factory=dict)  # "3:5": the words 3 and 4 denote this thing
    answer_thing: int | None = None  # the thing that the answer names
    group: str | None = None  # what kind of answer is asked for: "color"; None for yes or no
    form: str = ""  # the wording without what is filled in
    gives: frozenset[Fact] = frozenset()
    needs: frozenset[Fact] | None = None

    def of_family(self, family: str) -> Question:
        """The same question, counted as another family."""
        return replace(self, family=family)


def say(template: str, slots: Mapping[str, Slot]) -> tuple[str, dict[str, int]]:
    """The template with its slots filled in, and which words denote which things.

    A slot stands alone between spaces; a comma or question mark may follow it. Words are what spaces separate.
    """
    words: list[str] = []
    spans: dict[str, int] = {}
    for piece in template.split(" "):
        match = _SLOT.match(piece)
        if match is None:
            words.append(piece)
            continue
        slot = slots[match[1]]
        text, thing = (slot, None) if isinstance(slot, str) else slot
        start = len(words)
        words.extend((text + match[2]).split(" "))
        if thing is not None:
            spans[str(start) if len(words) == start + 1 else f"{start}:{len(words)}"] = thing
    sentence = " ".join(words)
    return sentence[0].upper() + sentence[1:], spans


def exists(*phrases: Phrase) -> frozenset[Fact]:
    """That there is such a thing, for each phrase."""
    return frozenset(("some", phrase.key) for phrase in phrases)


def properties_of(phrase: Phrase, kind: str, value: str) -> frozenset[Fact]:
    """That the thing `phrase` denotes has this value: the value itself and that such a thing exists."""
    return frozenset({("is", phrase.key, kind), ("some", phrase.key | {(kind, value)}), ("some", phrase.key)})


def entails(premise: Question, conclusion: Question) -> bool:
    """Whether the premise's answer decides the conclusion's."""
    if conclusion.needs is None or premise is conclusion:
        return False
    return all(_known(need, premise.gives) for need in conclusion.needs)


def _known(need: Fact, given: frozenset[Fact]) -> bool:
    if need in given:
        return True
    if need[0] != "some":
        return False
    wanted = need[1]
    assert isinstance(wanted, frozenset)
    return any(wanted <= fact[1] for fact in given if fact[0] == "some" and isinstance(fact[1], frozenset))


def finish(
    template: str,
    slots: Mapping[str, Slot],
    *,
    answer: str,
    kind: tuple[str, str, str],
    steps: Sequence[Step],
    statement: str,
    answer_thing: int | None = None,
    group: str | None = None,
    gives: frozenset[Fact] = frozenset(),
    needs: frozenset[Fact] | None = None,
) -> Question:
    """The question a template becomes; `kind` is (family, structural, semantic)."""
    text, spans = say(template, slots)
    return Question(
        text=text,
        answer=answer,
        family=kind[0],
        structural=kind[1],
        semantic=kind[2],
        steps=tuple(steps),
        statement=statement[0].upper() + statement[1:],
        spans=spans,
        answer_thing=answer_thing,
        group=group,
        form=template,
        gives=gives,
        needs=needs,
    )
