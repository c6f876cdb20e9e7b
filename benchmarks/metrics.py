"""How fast the VQA accuracy is, beside the official definition as a loop over questions, annotators and answers.

    python benchmarks/metrics.py [--questions 20000]

The data are made up: ten answers a question from a vocabulary of 3,000, some of which need normalising. Both sides
give the same accuracies (checked). The loop normalises every answer where it meets it, as the official script does;
the second line gives it a memory of answers it has normalised. "prepared" is the work that is done once for a data
set; "scored" is what every evaluation of predictions costs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence

import numpy as np

from chiasm.data.answers import normalise_answer
from chiasm.metrics.vqa import References, clean, evaluate


def by_the_loop(
    predictions: Sequence[str], answers: Sequence[Sequence[str]], normalise: Callable[[str], str]
) -> list[float]:
    """The official evaluation, question by question."""
    scores = []
    for predicted, ten in zip(predictions, answers, strict=True):
        given, said = [clean(a) for a in ten], clean(predicted)
        if len(set(given)) > 1:
            given, said = [normalise(a) for a in given], normalise(said)
        accuracies = []
        for left_out in range(len(given)):
            others = [a for i, a in enumerate(given) if i != left_out]
            accuracies.append(min(1.0, len([a for a in others if a.lower() == said.lower()]) / 3))
        scores.append(sum(accuracies) / len(accuracies))
    return scores


def made_up(count: int, seed: int = 0) -> tuple[list[str], list[list[str]]]:
    """Predictions and ten answers each: mostly the question's own answer, sometimes another, in many spellings."""
    random = np.random.default_rng(seed)
    words = np.array([f"{['', 'a ', 'the '][i % 3]}answer no. {i}{['', '?', ' two'][i % 3]}" for i in range(3000)])
    own = random.integers(0, len(words), (count, 1))
    drawn = np.where(random.random((count, 11)) < 0.6, own, random.integers(0, len(words), (count, 11)))
    texts = words[drawn].tolist()
    return [row[0] for row in texts], [row[1:] for row in texts]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=20_000)
    count = parser.parse_args().questions
    predictions, answers = made_up(count)

    started = time.perf_counter()
    references = References(answers, normalise=normalise_answer)
    prepared = time.perf_counter() - started
    repeats = []
    for _ in range(5):
        started = time.perf_counter()
        scores = references.scores(predictions)
        repeats.append(time.perf_counter() - started)
    scored = min(repeats)
    started = time.perf_counter()
    evaluate(scores, images=[str(i // 5) for i in range(count)])
    intervals = time.perf_counter() - started
    loops = []
    for normalise in (normalise_answer.__wrapped__, normalise_answer):  # without its memory, with it
        started = time.perf_counter()
        expected = by_the_loop(predictions, answers, normalise)
        loops.append(time.perf_counter() - started)
        assert np.allclose(scores, expected), "the two disagree"
    loop, remembering = loops

    print(f"{count} questions of ten answers; seconds")
    print(f"  loop, as the official script {loop:8.3f}")
    print(f"  loop that remembers          {remembering:8.3f}")
    for name, seconds in [("prepared", prepared), ("scored (best of 5)", scored), ("both", prepared + scored)]:
        print(f"  {name:28} {seconds:8.4f}   {loop / seconds:5.0f} x, {remembering / seconds:5.0f} x faster")
    print(f"  {'intervals':28} {intervals:8.3f}   1,000 resamples of {count // 5} images")


if __name__ == "__main__":
    main()
