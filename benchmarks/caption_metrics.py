"""How fast the caption measures are, beside pycocoevalcap's scorers, with equal values (checked).

    pip install pycocoevalcap
    python benchmarks/caption_metrics.py [--images 5000] [--references 5] [--captions Flickr8k.token.txt]

Both sides get tokenised sentences. "whole" is everything from strings to the corpus's score and that of each image;
"references kept" is what the next evaluation against the same references costs. Times are processor seconds. Without
`--captions` sentences are made up: 12 words on average out of 8,000 by Zipf's law, references of an image being each
other's variations.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from chiasm.data.caption_files import read_references
from chiasm.metrics.captions import bleu, cider, rouge
from chiasm.metrics.captions.references import References
from chiasm.metrics.captions.tokenise import ptb
from chiasm.metrics.captions.validity import validity


def made_up(images: int, references: int, seed: int = 0) -> tuple[list[str], list[list[str]]]:
    """One hypothesis and some references for each image: a sentence with some of its words exchanged."""
    draw = np.random.default_rng(seed)
    words = np.array([f"w{k}" for k in range(8000)])
    likely = 1 / np.arange(1, len(words) + 1)
    likely /= likely.sum()
    texts = []
    for _ in range(images):
        base = draw.choice(words, draw.integers(8, 17), p=likely)
        varied = []
        for _ in range(references + 1):
            new = np.where(draw.random(len(base)) < 0.4, draw.choice(words, len(base), p=likely), base)
            varied.append(" ".join(new[: draw.integers(6, len(base) + 1)]))
        texts.append(varied)
    return [t[0] for t in texts], [t[1:] for t in texts]


def from_file(file: Path, images: int, references: int) -> tuple[list[str], list[list[str]]]:
    """The last caption of each image as hypothesis, the others as references."""
    groups = [texts for texts in read_references(file).values() if len(texts) > 1]
    chosen = [groups[k % len(groups)] for k in range(images)]
    tokens = iter(ptb([text for texts in chosen for text in texts]))
    split = [[next(tokens) for _ in texts] for texts in chosen]
    return [texts[-1] for texts in split], [(texts * references)[:references] for texts in (t[:-1] for t in split)]


def best(run: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """The shortest of several runs, and what it gave."""
    seconds = []
    for _ in range(repeats):
        started = time.process_time()
        result = run()
        seconds.append(time.process_time() - started)
    return min(seconds), result


def main() -> None:
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--references", type=int, default=5)
    parser.add_argument("--captions", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", help="one of CIDEr-D, BLEU-1..4, ROUGE-L")
    given = parser.parse_args()
    source = from_file if given.captions else made_up
    arguments = (given.captions,) if given.captions else ()
    texts, references = source(*arguments, given.images, given.references)  # type: ignore[operator]
    truth, results = dict(enumerate(references)), {k: [text] for k, text in enumerate(texts)}

    known = References(references)
    scorer = cider.Scorer(known)
    scorers: dict[str, tuple[Callable[[], Any], Callable[[], Any], Callable[[], Any]]] = {
        "CIDEr-D": (
            lambda: Cider().compute_score(truth, results)[1],
            lambda: cider.scores(texts, references),
            lambda: scorer.scores(texts),
        ),
        "BLEU-1..4": (
            lambda: Bleu(4).compute_score(truth, results, verbose=0)[1],
            lambda: bleu.scores(texts, references).T,
            lambda: bleu.scores(texts, known).T,
        ),
        "ROUGE-L": (
            lambda: Rouge().compute_score(truth, results)[1],
            lambda: rouge.scores(texts, references),
            lambda: rouge.scores(texts, known),
        ),
    }
    print(f"{given.images} images x {given.references} references; best of {given.repeats}, processor seconds")
    print(
        f"{'measure':<10} {'pycocoevalcap':>13} {'whole':>8} {'ratio':>6} {'references kept':>16} {'ratio':>6}  apart"
    )
    for name, (theirs, whole, kept) in scorers.items():
        if given.only not in (None, name):
            continue
        (a, expected), (b, found), (c, _) = (best(run, given.repeats) for run in (theirs, whole, kept))
        apart = float(np.abs(np.asarray(expected) - np.asarray(found)).max())
        assert np.allclose(expected, found, rtol=1e-9, atol=1e-12), f"{name}: the two disagree by {apart}"
        print(f"{name:<10} {a:13.3f} {b:8.3f} {a / b:6.1f} {c:16.3f} {a / c:6.1f}  {apart:.1e}")
        print(f"{'':<10} mean {np.mean(expected):.16g} beside {np.mean(found):.16g}")
    for metric in () if given.only else ("cider", "rouge_l", "bleu4"):
        seconds, _ = best(lambda metric=metric: validity(references, metric=metric), 1)  # type: ignore[misc]
        print(f"validity scores by {metric}: {seconds:.2f}")


if __name__ == "__main__":
    main()
