"""A second, independent way to answer: runs GQA programs on scene graphs, from the JSON files alone.

Directions are worked out from the boxes with a threshold of the test's choice, not read from the graph, so that a
test can see whether an answer hangs on a few pixels.
"""

from __future__ import annotations

import json
import re
from functools import cached_property
from pathlib import Path
from typing import Any

IDS = re.compile(r"\s*\((?P<ids>[-\d,]*)\)$")
DIRECTIONS = {"to the left of": (0, -1), "to the right of": (0, 1), "above": (1, -1), "below": (1, 1)}
COMPARED = {
    "compare further left": (0, -1),
    "compare further right": (0, 1),
    "compare higher": (1, -1),
    "compare lower": (1, 1),
}


class AmbiguousReferenceError(Exception):
    """A phrase that should denote one thing denotes none or several."""


class Files:
    """The files of a generated world."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def info(self) -> dict[str, Any]:
        return json.loads((self.folder / "world.json").read_text())

    def graphs(self, split: str) -> dict[str, Any]:
        return self._cached("sceneGraphs", f"{split}_sceneGraphs.json")

    def questions(self, split: str) -> dict[str, Any]:
        return self._cached("questions", f"{split}_balanced_questions.json")

    def json(self, *parts: str) -> Any:
        return self._cached(*parts)

    def _cached(self, *parts: str) -> Any:
        key = "/".join(parts)
        if key not in self.__dict__:
            self.__dict__[key] = json.loads(self.folder.joinpath(*parts).read_text())
        return self.__dict__[key]


class Executor:
    """Answers programs about one scene graph. `threshold`: how far to the left "to the left of" begins, in pixels."""

    def __init__(self, graph: dict[str, Any], info: dict[str, Any], threshold: float) -> None:
        self.graph, self.objects, self.threshold = graph, graph["objects"], threshold
        self.vocabulary, self.categories = info["vocabulary"], info["categories"]

    def value(self, name: str, kind: str) -> str:
        thing = self.objects[name]
        if kind == "name":
            return str(thing["name"])
        return next(word for word in thing["attributes"] if word in self.vocabulary[kind])

    def fits(self, name: str, noun: str) -> bool:
        found = self.objects[name]["name"]
        return noun == "thing" or found == noun or found in self.categories.get(noun, ())

    def center(self, name: str, axis: int) -> float:
        thing = self.objects[name]
        return float((thing["x"] + thing["w"] / 2, thing["y"] + thing["h"] / 2)[axis])

    def holds(self, subject: str, relation: str, thing: str) -> bool:
        if subject == thing:
            return False
        if relation in DIRECTIONS:
            axis, sign = DIRECTIONS[relation]
            return sign * (self.center(subject, axis) - self.center(thing, axis)) >= self.threshold
        return {"name": relation, "object": thing} in self.objects[subject]["relations"]

    def run(self, program: list[dict[str, Any]]) -> str:
        """The answer. Raises `AmbiguousReferenceError`."""
        results: list[Any] = []
        for step in program:
            argument = IDS.sub("", step["argument"])
            results.append(self.step(step["operation"], argument, [results[d] for d in step["dependencies"]]))
        answer = results[-1]
        return {True: "yes", False: "no"}.get(answer, answer) if isinstance(answer, bool) else str(answer)

    def denoted(self, program: list[dict[str, Any]]) -> list[tuple[set[str], set[str]]]:
        """(what the brackets say, what is found) for every noun phrase: a select or relate and its filters."""
        results: list[Any] = []
        phrase_of: dict[int, int] = {}
        last: dict[int, int] = {}
        for number, step in enumerate(program):
            argument = IDS.sub("", step["argument"])
            results.append(self.step(step["operation"], argument, [results[d] for d in step["dependencies"]]))
            if step["operation"] in ("select", "relate") and argument != "scene":
                phrase_of[number] = last[number] = number
            elif step["operation"].startswith("filter"):
                phrase_of[number] = phrase_of[step["dependencies"][0]]
                last[phrase_of[number]] = number
        said = {number: IDS.search(program[number]["argument"])["ids"] for number in last}
        return [(set(said[n].replace("-", "").split(",")) - {""}, set(results[last[n]])) for n in last]

    def step(self, operation: str, argument: str, given: list[Any]) -> Any:
        if operation == "select":
            return None if argument == "scene" else [name for name in self.objects if self.fits(name, argument)]
        if operation == "relate":
            noun, relation, role = argument.split(",")
            anchor = one(given[0])
            pairs = [(name, anchor) if role == "s" else (anchor, name) for name in self.objects]
            return [
                name
                for name, (subject, thing) in zip(self.objects, pairs, strict=True)
                if self.fits(name, noun) and self.holds(subject, relation, thing)
            ]
        if operation.startswith("filter "):
            return [name for name in given[0] if self.value(name, operation[7:]) == argument]
        if operation == "exist":
            return bool(given[0])
        if operation == "count":
            return len(given[0])
        if operation in ("and", "or"):
            return all(given) if operation == "and" else any(given)
        return self.judge(operation, argument, given)

    def judge(self, operation: str, argument: str, given: list[Any]) -> Any:
        verb, _, kind = operation.partition(" ")
        if "place" in (kind, argument):
            place = self.graph["location"]
            return place == argument if verb == "verify" else place
        things = [one(denoted) for denoted in given]
        if kind == "rel":
            holding = [name for name in argument.split("|") if self.holds(things[0], name, things[1])]
            if verb == "verify":
                return bool(holding)
            assert len(holding) == 1
            return holding[0].removeprefix("to the ").removesuffix(" of")
        if operation in COMPARED:
            axis, sign = COMPARED[operation]
            first, second = (sign * self.center(name, axis) for name in things)
            assert abs(first - second) >= 2 * abs(self.threshold)
            return self.value(things[first < second], "name")
        if verb == "compare":
            wanted = {"larger": "large", "smaller": "small"}[kind]
            return self.value(one([name for name in things if self.value(name, "size") == wanted]), "name")
        if verb in ("same", "different"):
            first, second = (self.value(name, kind) for name in things)
            return (first == second) == (verb == "same")
        if verb == "query":
            return self.value(things[0], argument)
        found = self.value(things[0], kind)
        if verb == "verify":
            return found == argument
        assert verb == "choose", operation
        assert found in argument.split("|")
        return found


def one(denoted: list[str]) -> str:
    """The only thing there is."""
    if len(denoted) != 1:
        raise AmbiguousReferenceError(denoted)
    return denoted[0]
