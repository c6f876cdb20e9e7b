"""Measure captions without Java: scores, validity, agreement with people, rare words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence

    from chiasm.data.judgements import Judged
    from chiasm.metrics.estimate import Array

Out = Annotated[Path, typer.Option(metavar="FOLDER", help="Where the JSON file and the figures go.")]
REFERENCES_HELP = "What people wrote: COCO annotations, Flickr8k's token file, or JSON image -> captions."
Training = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Training captions, like references: they say which words are rare."),
]
AtMost = Annotated[int, typer.Option(min=0, help="A word is rare that training has at most so often.")]


def score(
    results: Annotated[
        Path, typer.Argument(metavar="RESULTS", help="JSON: [{image_id, caption}] or image -> caption.")
    ],
    references: Annotated[Path, typer.Option(metavar="FILE", help=REFERENCES_HELP)],
    training: Training = None,
    at_most: AtMost = 100,
    tokenised: Annotated[bool, typer.Option(help="The captions are tokens separated by spaces already.")] = False,
    out: Out = Path("runs/captions"),
) -> None:
    """Score captions: BLEU, METEOR, ROUGE-L, CIDEr, words used; each with a 95 % interval.

    \b
    Examples:
      chiasm captions score results.json --references captions_val2014.json
      chiasm captions score results.json --references val.json --training captions_train2014.json
    """
    from chiasm.cli._show import show_metrics, written
    from chiasm.data.caption_files import paired, read_references, read_results
    from chiasm.metrics.captions import diversity
    from chiasm.metrics.captions.evaluate import evaluate
    from chiasm.metrics.captions.tokenise import ptb
    from chiasm.report.tables import write_json

    tokenise = None if tokenised else ptb
    texts, known = paired(read_results(results), read_references(references))
    found = evaluate(texts, known, tokenise=tokenise)
    if training is not None:
        words = _occurrences(training, tokenised)
        known_words = diversity.known_words(texts)
        said = known_words if tokenise is None else tokenise(known_words)
        found |= diversity.rare_words(said, words, at_most=at_most)
    show_metrics(found, f"{len(texts):,} captions")
    out.mkdir(parents=True, exist_ok=True)
    write_json(found, out / "scores.json")
    written(out / "scores.json")


def validity(
    references: Annotated[Path, typer.Argument(metavar="FILE", help=REFERENCES_HELP)],
    metric: Annotated[str, typer.Option(help="cider, bleu4 or rouge_l: how references are compared.")] = "cider",
    captions: Annotated[int, typer.Option(min=2, help="The figure shows images with so many references.")] = 5,
    out: Out = Path("runs/captions"),
) -> None:
    """How valid each reference is by the others of its image: validity.json, and violins as in the paper's figure 1.

    \b
    Examples:
      chiasm captions validity captions_train2014.json
      chiasm captions validity Flickr8k.token.txt --metric rouge_l --out runs/flickr8k
    """
    from chiasm.cli._show import written
    from chiasm.data.caption_files import read_references
    from chiasm.explain.caption_figures import validity_violins
    from chiasm.explain.draw import png
    from chiasm.metrics.captions.evaluate import tokenised
    from chiasm.metrics.captions.validity import METRICS
    from chiasm.metrics.captions.validity import validity as scores_of
    from chiasm.registry import nearest
    from chiasm.report.tables import write_json

    if metric not in METRICS:
        raise typer.BadParameter(nearest(metric, METRICS, what="metric"), param_hint="--metric")
    known = read_references(references)
    found = scores_of(tokenised(list(known.values())), metric=metric)
    out.mkdir(parents=True, exist_ok=True)
    write_json({image: scores.tolist() for image, scores in zip(known, found, strict=True)}, out / "validity.json")
    written(out / "validity.json")
    (out / "validity.png").write_bytes(png(validity_violins(found, references=captions)))  # not of every data set
    written(out / "validity.png")


def people(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Flickr8k's captions and judgements (its text files).")
    ],
    kind: Annotated[str, typer.Option(help="experts or crowd.")] = "experts",
    meteor: Annotated[bool, typer.Option(help="METEOR too, which takes longest.")] = False,
    draws: Annotated[int, typer.Option(min=2, help="Resamples of the images, for the intervals.")] = 200,
    out: Out = Path("runs/captions"),
) -> None:
    """How well the measures agree with people: Kendall's tau beside the published values.

    And, over the captions that were written for the image they are judged with, how their validity among its captions
    agrees.

    \b
    Examples:
      chiasm captions people Flickr8k_text
      chiasm captions people Flickr8k_text --kind crowd --meteor
    """
    from chiasm.cli._show import show_table, written
    from chiasm.data.judgements import KINDS, read_judgements
    from chiasm.metrics.captions import people as measures
    from chiasm.metrics.captions.meteor import with_wordnet_if_present
    from chiasm.registry import nearest
    from chiasm.report.tables import Table, write_json

    if kind not in KINDS:
        raise typer.BadParameter(nearest(kind, KINDS, what="judgements"), param_hint="--kind")
    judged = read_judgements(folder, kind)
    others = [one for one in judged if kind == "crowd" or not one.own]
    captions, references = _tokenised([one.caption for one in others], [one.references for one in others])
    scores = measures.measured(captions, references, meteor=with_wordnet_if_present() if meteor else None)
    found = measures.agreement(scores, [j.grades for j in others], [j.image for j in others], kind=kind, draws=draws)
    own = [one for one in judged if one.own]
    valid = _of_own(folder, own)
    of_own = measures.agreement(valid, [j.grades for j in own], [j.image for j in own], kind=kind, draws=draws)
    for title, part, number in [
        ("captions beside the references", found, len(others)),
        ("captions of the image itself", of_own, len(own)),
    ]:
        rows = [
            (name, f"{one.tau.value:.3f}", f"{one.tau.low:.3f} to {one.tau.high:.3f}", _published(one.published))
            for name, one in part.items()
        ]
        title = f"Kendall's tau-{measures.VARIANTS[kind]} with {kind}: {number:,} {title}"
        show_table(Table(title, ("measure", "tau", "95 % interval", "published"), tuple(rows)))
    content = {name: {"tau": one.tau, "published": one.published} for name, one in (found | of_own).items()}
    out.mkdir(parents=True, exist_ok=True)
    write_json(content, out / f"people_{kind}.json")
    written(out / f"people_{kind}.json")


def compare(
    first: Annotated[Path, typer.Argument(metavar="RESULTS", help="One system's captions, as for `score`.")],
    second: Annotated[Path, typer.Argument(metavar="RESULTS", help="Another system's, of the same images.")],
    training: Annotated[Path, typer.Option(metavar="FILE", help="Training captions: they say which words are rare.")],
    at_most: AtMost = 100,
    images: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Where the images are, by name.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Images in the figure.")] = 6,
    out: Out = Path("runs/captions"),
) -> None:
    """Two systems' captions side by side, rare words marked: the first where their use of them differs most.

    \b
    Example:
      chiasm captions compare free.json fixed.json --training captions_train2014.json --images val2014
    """
    from chiasm.cli._show import show_table, written
    from chiasm.data.caption_files import read_results
    from chiasm.data.example import DataError
    from chiasm.explain.caption_figures import Captioned, captions_side_by_side
    from chiasm.explain.draw import png
    from chiasm.metrics.captions import diversity
    from chiasm.metrics.captions.tokenise import ptb
    from chiasm.report.tables import metrics_table

    results = {path.stem if first.stem != second.stem else str(path): read_results(path) for path in (first, second)}
    shared = [image for image in read_results(first) if all(image in captions for captions in results.values())]
    if not shared:
        raise DataError(f"{first} and {second} have no image in common")
    words = _occurrences(training, tokenised=False)
    # As the training captions are: another cut ("don't", "dog.") would make words rare that are not.
    said = {name: [captions[image] for image in shared] for name, captions in results.items()}
    texts = {name: ptb(diversity.known_words(captions)) for name, captions in said.items()}
    for name, captions in texts.items():
        used = diversity.rare_words(captions, words, at_most=at_most)
        show_table(metrics_table(used | {"vocabulary_usage": diversity.vocabulary_usage(captions)}, title=name))
    rare = [[sum(words[w] <= at_most for w in text.split()) for text in captions] for captions in texts.values()]
    order = sorted(range(len(shared)), key=lambda k: -abs(rare[0][k] - rare[1][k]))[:limit]
    shown = [
        Captioned(_image(images, shared[k]), {name: captions[k] for name, captions in texts.items()}, shared[k])
        for k in order
    ]
    out.mkdir(parents=True, exist_ok=True)
    (out / "side_by_side.png").write_bytes(png(captions_side_by_side(shown, words, at_most=at_most)))
    written(out / "side_by_side.png")


def alphas(
    table: Annotated[
        Path, typer.Argument(metavar="TABLE.json", help="What `chiasm table caption_sampling/figure2` wrote.")
    ],
    metric: Annotated[str, typer.Option(help="A measure of the table.")] = "cider_d",
    out: Out = Path("runs/captions"),
) -> None:
    """A measure against alpha, the mass that is smoothed away, a curve for each method (the paper's figure 2).

    \b
    Example:
      chiasm table caption_sampling/figure2 --data COCO --out runs/figure2
      chiasm captions alphas runs/figure2/table.json
    """
    from chiasm.cli._show import show_table, written
    from chiasm.explain.caption_figures import alpha_curves
    from chiasm.explain.draw import png
    from chiasm.report.smoothing import read_curves
    from chiasm.report.tables import Table, write_json

    curves = read_curves(table, metric)
    rows = [
        (name, f"{alpha:g}", str(found)) for name, curve in curves.methods.items() for alpha, found in curve.items()
    ]
    best = {name: max(curve, key=lambda alpha: curve[alpha].value) for name, curve in curves.methods.items()}
    show_table(Table(f"{metric} by alpha", ("method", "alpha", metric), tuple(rows)))
    print("best alpha: " + ", ".join(f"{name} {alpha:g}" for name, alpha in best.items()))
    out.mkdir(parents=True, exist_ok=True)
    (out / "alphas.png").write_bytes(png(alpha_curves(curves.methods, metric=metric, baseline=curves.baseline)))
    write_json({"best": best, "curves": curves.methods, "baseline": curves.baseline}, out / "alphas.json")
    written(out / "alphas.json", out / "alphas.png")


def _tokenised(captions: Sequence[str], references: Sequence[Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """Both by the tokenisation of the COCO evaluation, each different sentence once."""
    from chiasm.metrics.captions.tokenise import ptb

    different = list(dict.fromkeys([*captions, *(text for texts in references for text in texts)]))
    tokens = dict(zip(different, ptb(different), strict=True))
    return [tokens[text] for text in captions], [[tokens[text] for text in texts] for texts in references]


def _of_own(folder: Path, judged: Sequence[Judged]) -> dict[str, Array]:
    """Measure -> (J,) the validity of each judged caption among the captions of its image, and what it is made of."""
    import numpy as np

    from chiasm.data.judgements import read_captions
    from chiasm.metrics.captions.evaluate import tokenised
    from chiasm.metrics.captions.validity import METRICS, agreement, probabilities

    captions = read_captions(folder)
    known, places = tokenised(list(captions.values())), {image: k for k, image in enumerate(captions)}
    at = [(places[one.image], captions[one.image].index(one.caption)) for one in judged]
    found = {}
    for metric in METRICS:
        agreements = agreement(known, metric=metric)
        valid = probabilities(agreements)
        found[f"validity by {metric}"] = np.array([valid[image][k] for image, k in at])
        found[f"agreement by {metric}"] = np.array([agreements[image][k] for image, k in at])
    return found


def _published(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _occurrences(file: Path, tokenised: bool) -> Counter[str]:
    """Word -> how often training captions have it."""
    from collections import Counter

    from chiasm.data.caption_files import read_references
    from chiasm.metrics.captions.tokenise import ptb

    texts = [text for captions in read_references(file).values() for text in captions]
    return Counter(word for text in (texts if tokenised else ptb(texts)) for word in text.split())


def _image(folder: Path | None, name: str) -> Array | None:
    """The picture of that name, or of that number as COCO names its files; None where it is not at hand."""
    import numpy as np

    from chiasm.data.images import open_image, to_rgb
    from chiasm.data.sources._files import IMAGE_ENDINGS

    if folder is None:
        return None
    pictures = (path for path in folder.iterdir() if path.suffix.lower() in IMAGE_ENDINGS)
    coco = re.compile(rf"(COCO_\w+_)?{int(name):012d}") if name.isdecimal() else None
    found = [path for path in pictures if name in (path.name, path.stem) or (coco and coco.fullmatch(path.stem))]
    return np.asarray(to_rgb(open_image(min(found)))) if found else None


commands = {"score": score, "validity": validity, "people": people, "compare": compare, "alphas": alphas}
