"""Worlds of statements about two pictures, in the format of NLVR2.

Each statement is judged of several pairs, half of which make it true, so that the sentence alone says nothing and
consistency (all pairs of a statement right) is defined.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from chiasm.synth import formats
from chiasm.synth.production import AnnotationFile, Job, Parts
from chiasm.synth.refer import SceneIndex
from chiasm.synth.render import png, render
from chiasm.synth.sampling import SceneSampler, image_number
from chiasm.synth.scene import Scene
from chiasm.synth.statement import Speaker, Statement
from chiasm.synth.statements import draw

TRIES = 40  # pairs drawn per pair wanted, before another statement is tried
IDS = 20  # image ids kept free for one statement


@dataclass(frozen=True)
class Judged:
    """A statement with its pairs of scenes."""

    statement: Statement
    pairs: tuple[tuple[Scene, Scene, bool], ...]  # left, right, whether it is true of them


class PairSampler:
    """Draws statements with their pairs; the same seed, split and number give the same."""

    def __init__(self, scenes: SceneSampler, *, pairs: int, families: Sequence[str] = ()) -> None:
        self.scenes, self.pairs, self.families = scenes, pairs, families

    def judged(self, split: str, number: int) -> Judged:
        """Statement `number` of a split."""
        rng = Random(f"statement/{self.scenes.seed}/{split}/{number}")
        held_out = {} if split == "test" else self.scenes.held_out
        while True:
            statement = draw(Speaker(rng, held_out), self.families)
            found = self._pairs(statement, rng, split, number)
            if found is not None:
                return Judged(statement, found)

    def _pairs(
        self, statement: Statement, rng: Random, split: str, number: int
    ) -> tuple[tuple[Scene, Scene, bool], ...] | None:
        """Half true and half false pairs in random order; None when they are hard to find."""
        order = [True, False] * (self.pairs // 2)
        rng.shuffle(order)
        missing = {truth: [n for n, value in enumerate(order) if value is truth] for truth in (True, False)}
        found: dict[int, tuple[Scene, Scene, bool]] = {}
        for _ in range(TRIES * self.pairs):
            scenes = [
                self.scenes.compose(rng, split, 0, wanted=show.wanted, contact=show.contact)
                for show in statement.show(rng)
            ]
            truth = statement.truth(*(SceneIndex(scene, self.scenes.held_out) for scene in scenes))
            if truth is None or not missing[truth]:
                continue
            pair = missing[truth].pop(0)
            left, right = (_named(scene, split, number, pair, side) for side, scene in enumerate(scenes))
            found[pair] = left, right, truth
            if len(found) == self.pairs:
                return tuple(found[pair] for pair in range(self.pairs))
        return None


def _identifier(split: str, number: int, pair: int) -> str:
    """split-set-pair-sentence, as NLVR2 writes it; every set has one sentence here."""
    return f"{split}-{number}-{pair}-0"


def _named(scene: Scene, split: str, number: int, pair: int, side: int) -> Scene:
    """The scene with the id and the picture name of its side of a pair."""
    image_id = image_number(split, number * IDS + 2 * pair + side)
    return replace(scene, image_id=image_id, name=f"{split}-{number}-{pair}-img{side}")


def files(split: str, options: Mapping[str, Any]) -> dict[str, AnnotationFile]:
    """path -> the annotation files of a split."""
    statements = AnnotationFile(f"nlvr2/{split}.json", {"": ""}, "\n", separator="\n")
    graphs = AnnotationFile(f"sceneGraphs/{split}_sceneGraphs.json", {"": "{"}, "}\n")
    return {file.path: file for file in (statements, graphs)}


def make(job: Job, parts: Parts) -> None:
    """One job's statements: pictures and entries."""
    options = job.options
    scenes = SceneSampler(
        seed=job.seed,
        image_size=options["image_size"],
        min_objects=options["min_objects"],
        max_objects=options["max_objects"],
    )
    sampler = PairSampler(scenes, pairs=options["pairs"], families=options["families"])
    for number in range(job.start, job.stop):
        judged = sampler.judged(job.split, number)
        for pair, (left, right, truth) in enumerate(judged.pairs):
            for scene in (left, right):
                parts.picture(f"{scene.stem}.png", png(render(scene)))
                parts.add(f"sceneGraphs/{job.split}_sceneGraphs.json", formats.scene_graph(scene), key=scene.stem)
            entry = {
                "sentence": judged.statement.text,
                "identifier": _identifier(job.split, number, pair),
                "label": str(truth),
                "directory": 0,
                "family": judged.statement.family,  # ours: what kind of statement it is
            }
            parts.add(f"nlvr2/{job.split}.json", entry)
