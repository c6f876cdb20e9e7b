"""The demonstration: a model of the generated world, and what shows that it looks at the picture.

Private to the command line; `chiasm demo` calls `run_demo`.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chiasm.data.example import Example
from chiasm.metrics.estimate import Estimate
from chiasm.report.contents import Example as Shown
from chiasm.report.contents import Report, parts_of
from chiasm.report.page import render, write_page
from chiasm.report.run import explained
from chiasm.report.tables import Table, percent, percent_range, write_json
from chiasm.tasks import Prediction
from chiasm.training.evaluate import measure
from chiasm.training.recipe import Recipe
from chiasm.training.run import RunResult, train

FACET = "detailed"  # the readable families of questions
SEEN = {"images", "boxes", "graph"}  # the roles that shuffled images bring along
QUESTION_ONLY, MAJORITY, SHUFFLED = "question only", "majority answer", "shuffled images"
Metrics = Mapping[str, Estimate]


@dataclass(frozen=True)
class Demo:
    """The model's metrics on held-out scenes beside those of what cannot see."""

    metrics: Metrics
    baselines: Mapping[str, Metrics]  # by QUESTION_ONLY, MAJORITY, SHUFFLED
    headline: str

    def to_json(self) -> dict[str, Any]:
        """The content of metrics.json: each number an object with value, low, high (95 %) and n, in [0, 1]."""
        main = {name: metrics[self.headline].to_json() for name, metrics in self.baselines.items()}
        by_type = parts_of(self.metrics, self.headline)[FACET]
        return {
            "accuracy": self.metrics[self.headline].to_json(),
            "accuracy_by_type": {kind: estimate.to_json() for kind, estimate in by_type.items()},
            "question_only": main[QUESTION_ONLY],
            "majority": main[MAJORITY],
            "shuffled_images": main[SHUFFLED],
        }

    def table(self) -> Table:
        """By question type: the model, its interval, and the three that cannot see."""
        parts = parts_of(self.metrics, self.headline)[FACET]
        names = [(kind, f"{self.headline}/{FACET}/{kind}") for kind in sorted(parts)]
        rows = [self._row(title, key) for title, key in [("all questions", self.headline), *names]]
        columns = ("question type", "model", "95 % interval", "n", *self.baselines)
        return Table(
            "Accuracy on held-out scenes of the generated world (not a claim about pictures)", columns, tuple(rows)
        )

    def _row(self, title: str, key: str) -> tuple[str, ...]:
        mine = self.metrics[key]
        others = (percent(metrics[key].value) for metrics in self.baselines.values())
        return (title, percent(mine.value), percent_range(mine), f"{mine.n:,}", *others)


def run_demo(recipe: Recipe, out: Path, *, examples: int, resume: bool) -> Demo:
    """Train, measure, compare, explain; writes bundle/, report.html and metrics.json into `out`."""
    _say("1 of 4: the world, and the model")
    main = train(recipe, None, out, resume, overwrite=True)
    _say("2 of 4: the same model without a picture")
    blind = train(question_only(recipe), None, out / "question_only", resume, overwrite=True)
    _say("3 of 4: the majority answer, and shuffled pictures")
    baselines = {
        QUESTION_ONLY: blind.metrics["test"],
        MAJORITY: majority_metrics(main),
        SHUFFLED: shuffled_metrics(main),
    }
    demo = Demo(main.metrics["test"], baselines, main.bundle.task.headline)
    _say(f"4 of 4: {examples} answers explained")
    shown = explained(main.bundle, main.splits["test"].examples, main.predictions["test"], examples)
    write_page(render(report(main, demo, shown)), out / "report.html")
    write_json({**demo.to_json(), "generated_world": True, "run": main.bundle.metrics}, out / "metrics.json")
    return demo


def question_only(recipe: Recipe) -> Recipe:
    """The same recipe for a model with the same text encoder and no picture."""
    raw = {key: value for key, value in recipe.raw.items() if key not in ("regions", "images")}
    return Recipe({**raw, "name": f"{recipe.name}_question_only"}).with_settings(["options.use_images=false"])


def majority_metrics(run: RunResult) -> Metrics:
    """The metrics of always giving the most frequent answer of the training questions."""
    answers = Counter(str(example.values["answer"]) for example in run.splits["train"].examples)
    answer = min(answers, key=lambda given: (-answers[given], given))
    examples = run.splits["test"].examples
    return run.bundle.task.evaluate([Prediction(example.id, answer, 1.0) for example in examples], examples)


def shuffled_metrics(run: RunResult) -> Metrics:
    """The metrics of the same model when every question comes with another picture than its own."""
    examples = shuffle_images(run.splits["test"].examples, seed=run.recipe.training.seed)
    size = run.recipe.training.evaluate_batch_size
    return measure(run.bundle.model, run.bundle.task, run.bundle.dataset(examples), batch_size=size)[1]


def shuffle_images(examples: Sequence[Example], *, seed: int) -> list[Example]:
    """The questions, each with the picture (and its boxes) of questions about another picture.

    The pictures are put in a ring in random order and each is replaced by the next, so that none keeps its own and
    each is asked about as often as some other one was. Raises ValueError when there is only one picture.
    """
    pictures = {repr(example.values["images"]): example for example in examples}
    order = sorted(pictures)
    if len(order) < 2:
        raise ValueError("images cannot be shuffled among questions of a single image")
    random.Random(seed).shuffle(order)
    following = dict(zip(order, [*order[1:], order[0]], strict=True))

    def with_other_picture(example: Example) -> Example:
        other = pictures[following[repr(example.values["images"])]]
        seen = {role: value for role, value in other.values.items() if role in SEEN}
        kept = {role: value for role, value in example.values.items() if role not in SEEN}
        return replace(example, values={**kept, **seen})

    return [with_other_picture(example) for example in examples]


def report(run: RunResult, demo: Demo, examples: Sequence[Shown]) -> Report:
    """What the page holds."""
    recipe = run.recipe
    return Report(
        title="Chiasm demo",
        subtitle=recipe.title,
        metrics=demo.metrics,
        headline=demo.headline,
        generated=True,
        baselines={name: metrics[demo.headline] for name, metrics in demo.baselines.items()},
        baseline_parts=demo.baselines,
        journal=run.outcome.log,
        examples=examples,
        recipe=recipe.to_toml(),
        data={**dict(recipe.data.world or {}), **{f"{split} questions": len(d) for split, d in run.splits.items()}},
        environment=run.bundle.environment,
        notes=[
            "Test scenes are new, and show combinations of colour and shape that training never shows.",
            "Question only: the same text encoder without a picture, trained until it learns no more.",
            "Shuffled images: the same model, each question asked about another question's picture.",
        ],
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
