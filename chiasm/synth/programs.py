"""Functional programs in GQA's `semantic` format: what one does on the scene graph to answer a question.

A step has an operation, the steps it depends on, and an argument; numbers in brackets are the ids of the objects that
the step denotes, "(-)" for none, so that gold graph steps are known:

    select: cube (100000002)  ->  filter color: red [0]  ->  relate: toy,to the left of,s (100000000) [1]
    ->  query: color [2]

Differs from GQA: comparisons of two described things (`verify rel`, `choose rel`, `compare`) depend on two steps, so
that both sides may have adjectives; GQA keeps the second thing in the argument.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chiasm.synth.refer import Phrase


@dataclass(frozen=True)
class Step:
    """One step of a program. `things` are the numbers of the things it denotes; None: it denotes no things."""

    operation: str
    dependencies: tuple[int, ...]
    argument: str
    things: tuple[int, ...] | None = None

    def semantic(self, object_ids: Sequence[str]) -> dict[str, object]:
        """The step as GQA writes it."""
        argument = self.argument
        if self.things is not None:
            argument += f" ({','.join(object_ids[thing] for thing in self.things) or '-'})"
        return {"operation": self.operation, "dependencies": list(self.dependencies), "argument": argument}


class Program:
    """Collects steps; every method returns the number of the step it added."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def add(self, operation: str, argument: str, *dependencies: int, things: Iterable[int] | None = None) -> int:
        """Any step."""
        found = None if things is None else tuple(things)
        self.steps.append(Step(operation, dependencies, argument, found))
        return len(self.steps) - 1

    def select(self, phrase: Phrase, *things: int) -> int:
        """The things that a phrase without a relation denotes."""
        step = self.add("select", phrase.noun, things=things)
        return self._filter(phrase, step)

    def relate(self, phrase: Phrase, relation: str, role: str, anchor: int, *things: int) -> int:
        """The things of `phrase` that are the subject ("s") or object ("o") of `relation` with step `anchor`."""
        step = self.add("relate", f"{phrase.noun},{relation},{role}", anchor, things=things)
        return self._filter(phrase, step)

    def scene(self) -> int:
        """The whole picture."""
        return self.add("select", "scene")

    def _filter(self, phrase: Phrase, step: int) -> int:
        for kind, value in phrase.adjectives:
            step = self.add(f"filter {kind}", value, step)
        return step


def semantic_text(steps: Sequence[dict[str, object]]) -> str:
    """The program on one line: GQA's `semanticStr`."""
    parts = []
    for step in steps:
        dependencies = step["dependencies"]
        assert isinstance(dependencies, list)
        after = f" [{','.join(map(str, dependencies))}]" if dependencies else ""
        parts.append(f"{step['operation']}: {step['argument']}{after}")
    return "->".join(parts)
