"""Arguments of the verbs that write sentences, and what they do (private to the command line)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from chiasm.data.words import WordVocabulary
    from chiasm.heads.words import WordOptions
    from chiasm.serve.predictor import Predictor

Out = Annotated[Path, typer.Option(metavar="FILE", help="Every sentence with its runners-up, as JSON lines.")]
Beams = Annotated[int | None, typer.Option(min=1, help="Sentences searched at once.  [default: the bundle's]")]
Groups = Annotated[int | None, typer.Option(min=1, help="Groups of beams that avoid each other's words.")]
Nucleus = Annotated[float | None, typer.Option(metavar="P", help="Draw words from the likeliest share P instead.")]
Seed = Annotated[int | None, typer.Option(help="Of the draws.  [default: the bundle's]")]
MinWords = Annotated[int | None, typer.Option(min=0, help="No sentence is shorter.")]
BlockRepeats = Annotated[int | None, typer.Option(min=0, help="No run of so many words occurs twice; 0: any may.")]
Say = Annotated[list[str] | None, typer.Option(help="A word that must be said; may be repeated.")]
Begin = Annotated[str | None, typer.Option(metavar="TEXT", help="What every sentence begins with.")]


def writer(
    bundle: Path,
    *,
    options: Mapping[str, Any],
    nucleus: float | None,
    seed: int | None,
    say: Sequence[str] | None,
    begin: str | None,
    top_k: int,
) -> Predictor:
    """The bundle's predictor, searching as it is told to.

    Raises BadParameter for a bundle or word that does not fit, and for options that do not go together.
    `options` are fields of `WordOptions`; those that are None stay as they are in the bundle, but the beam is as wide
    as `top_k` sentences need.
    """
    from dataclasses import replace

    from chiasm.models._words import WritingModel, search_of
    from chiasm.serve.predictor import Predictor
    from chiasm.tasks._sentences import SentenceTask

    predictor = Predictor.load(bundle)
    model, task = predictor.bundle.model, predictor.bundle.task
    if not isinstance(model, WritingModel) or not isinstance(task, SentenceTask):
        raise typer.BadParameter(f"{bundle} holds {predictor.bundle.recipe.model!r}, which writes no sentences")
    changes = _changes(model.config, options, nucleus=nucleus, seed=seed)
    if "beam_size" not in changes and top_k > model.config.beam_size:
        groups = changes.get("groups", model.config.groups)
        changes["beam_size"] = -(-top_k // groups) * groups  # a beam is a multiple of its groups
    first = numbers_of(begin, task.vocabulary) if begin else ()
    required = tuple(number for given in say or [] for number in numbers_of(given, task.vocabulary))
    try:
        model.search = search_of(replace(model.config, **changes), first=first, required=required)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    return predictor


def _changes(
    config: WordOptions, options: Mapping[str, Any], *, nucleus: float | None, seed: int | None
) -> dict[str, Any]:
    """The fields of the configuration that change. Raises BadParameter for an option that would have no effect."""
    changes = {key: value for key, value in options.items() if value is not None}
    draws = nucleus is not None or config.decoding == "nucleus"
    if draws and changes.get("groups", 1) > 1:
        raise typer.BadParameter(
            "--groups is of a beam search, and here words are drawn (--nucleus): leave one of them out"
        )
    if seed is not None and not draws:
        raise typer.BadParameter("--seed is of words that are drawn, and a beam search draws none: add --nucleus P")
    if nucleus is not None:
        changes |= {"decoding": "nucleus", "top_p": nucleus, "groups": 1}
    return changes if seed is None else changes | {"sampling_seed": seed}


def numbers_of(text: str, vocabulary: WordVocabulary) -> tuple[int, ...]:
    """The words of a text, cut as the model's are. Raises BadParameter naming a word that the model does not know."""
    words = vocabulary.cut(text)
    if not words:
        raise typer.BadParameter(f"there is no word in {text!r}")
    known = {word: number for number, word in enumerate(vocabulary.words)}
    for word in words:
        if word not in known:
            raise typer.BadParameter(f"the model does not know the word {word!r}")
    return tuple(known[word] for word in words)


def write_sentences(predictor: Predictor, rows: Sequence[Mapping[str, Any]], out: Path, *, top_k: int) -> None:
    """Answer the rows, print each sentence, write all of them; a former file is replaced at the end.

    Of several rows each one's id stands above its sentences.
    """
    from chiasm.cli._show import written
    from chiasm.serve.predictor import PredictionError
    from chiasm.training.evaluate import prediction_line
    from chiasm.training.files import file_aside

    with file_aside(out) as aside, aside.open("w", encoding="utf-8") as file:
        for answer in predictor.predict(rows, top_k=top_k):
            assert not isinstance(answer, PredictionError)  # the first bad row ends the answers
            file.write(json.dumps(prediction_line(answer), ensure_ascii=False) + "\n")
            if len(rows) > 1:
                print(answer.id)
            for sentence, probability in answer.alternatives:
                print(f"{probability:7.1%}  {sentence}")
    written(out)
