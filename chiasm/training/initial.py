"""Weights to begin with: another run's bundle, a published LXMERT or CMR, or a published BERT.

Parameters are matched by name, and whole parts of the model (by default the encoder) must be there: a missing or
differently shaped one is an error. An answer head is taken over row by row, by the answers that both know.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from chiasm.data.answer_table import read_table, table_answer
from chiasm.data.columns import Preprocessor
from chiasm.data.regions import Preprocess as RegionsPreprocess
from chiasm.data.text import Preprocess as TextPreprocess
from chiasm.data.vocabulary import AnswerVocabulary
from chiasm.models import CrossModalModel
from chiasm.tasks import BaseTask
from chiasm.training.bundle import Bundle
from chiasm.training.checkpoint import module_tensors
from chiasm.training.errors import TrainingError
from chiasm.weights import is_published, read_published
from chiasm.weights.bert import head_weights, language_weights, read_bert
from chiasm.weights.lxmert import WeightsError
from chiasm.weights.word_vectors import put_word_vectors

ROWS = ("answer_head.scores.weight", "answer_head.scores.bias")
WORD_VECTORS = (".txt", ".vec")
BEFORE_ROWS = ("answer_head.dense.", "answer_head.norm.")


def start_from(
    model: CrossModalModel,
    task: BaseTask,
    preprocessors: Mapping[str, Preprocessor],
    folder: Path,
    *,
    parts: tuple[str, ...] = ("encoder.",),
    heads: bool = False,
    answers: bool = True,
    answer_table: str = "",
    bert_layers: Literal["bottom", "top"] = "bottom",
    bert: str = "",
) -> str:
    """Put the weights in `folder` into the model; says what was done, and which tensors are new here or left there.

    It is a bundle, an LXMERT or CMR in any format of `chiasm convert` (a .pth file too), or a BERT as transformers
    saves it. A `.txt` or `.vec` file in its place holds word vectors (GloVe), for the rows of whole words of the
    model's table.

    - `parts`: beginnings of the names of what is taken over from a bundle, an LXMERT or a CMR, whole
    - `heads`: also every further tensor of the same name and shape, but not the answers' rows
    - `answers`: the answer head, with the rows of the answers that the bundle's task knows; those of others are zero
    - `answer_table`: which answer each row of a published LXMERT is (its `all_ans.json`); without it the answer head
      stays as it is
    - `bert_layers`: which of BERT's layers become the language layers
    - `bert`: also a BERT as transformers saves it, for the words and the language layers: a model that reads with one
      and sees with an LXMERT

    Raises `TrainingError` for weights, word pieces or features that do not fit.
    """
    if bert:
        options: dict[str, Any] = {"parts": parts, "heads": heads, "answers": answers, "answer_table": answer_table}
        said = start_from(model, task, preprocessors, folder, bert_layers=bert_layers, **options)
        return f"{said}; {_from_bert(model, Path(bert), bert_layers)}"
    if (folder / "manifest.json").is_file():
        return _from_bundle(model, task, preprocessors, folder, parts=parts, heads=heads, answers=answers)
    if folder.suffix in WORD_VECTORS:
        return _from_words(model, preprocessors, folder)
    if is_published(folder):
        known = read_table(Path(answer_table)) if answer_table else None
        try:
            found = read_published(folder)
        except WeightsError as error:
            raise TrainingError(f"training.start {folder}: {error}") from error
        return _take(model, task, folder, found.tensors, known, found.model, parts, heads=heads, answers=answers)
    return _from_bert(model, folder, bert_layers)


def _from_bert(model: CrossModalModel, folder: Path, which: Literal["bottom", "top"]) -> str:
    try:
        bert = read_bert(folder)
        layers = len(model.get_submodule("encoder.language_layers"))  # type: ignore[arg-type]
        weights = language_weights(bert, layers, which=which)
    except (WeightsError, AttributeError) as error:
        raise TrainingError(f"training.start {folder}: {error}") from error
    own = module_tensors(model)
    wanted = {name: tensor for name, tensor in {**weights, **head_weights(bert)}.items() if name in own}
    if not wanted:
        raise TrainingError(f"training.start {folder}: this model has none of BERT's parameters")
    _put(own, wanted, str(folder))
    left = ", ".join(sorted(weights.keys() - own.keys()))
    return f"the {which} {layers} layers of BERT in {folder}" + (f", but not its {left}" if left else "")


def _from_words(model: CrossModalModel, preprocessors: Mapping[str, Preprocessor], file: Path) -> str:
    text, find_table = preprocessors.get("text"), getattr(model, "get_input_embeddings", None)
    if not isinstance(text, TextPreprocess) or find_table is None:
        raise TrainingError(f"training.start {file}: word vectors are for a model with a [text] and a word table")
    words = text.tokenizer.get_vocab()
    try:
        count = put_word_vectors(find_table(), words, file)
    except (WeightsError, OSError) as error:
        raise TrainingError(f"training.start: {error}") from error
    return f"the vectors of {count} of {len(words)} word pieces in {file}"


def _from_bundle(
    model: CrossModalModel,
    task: BaseTask,
    preprocessors: Mapping[str, Preprocessor],
    folder: Path,
    *,
    parts: tuple[str, ...],
    heads: bool,
    answers: bool,
) -> str:
    bundle = Bundle.load(folder)
    _check_inputs(preprocessors, bundle)
    theirs, known, name = module_tensors(bundle.model), _vocabulary(bundle.task), bundle.recipe.model
    return _take(model, task, folder, theirs, known, name, parts, heads=heads, answers=answers)


def _take(
    model: CrossModalModel,
    task: BaseTask,
    folder: Path,
    theirs: Mapping[str, Tensor],
    known: AnswerVocabulary | None,
    name: str,
    parts: tuple[str, ...],
    *,
    heads: bool,
    answers: bool,
) -> str:
    """Put another model's tensors, whose answers are `known`, into the model."""
    own = module_tensors(model)
    wanted = [key for key in own if key.startswith(parts)]
    missing = [key for key in wanted if key not in theirs]
    if missing or not wanted:
        named = missing[0] if missing else f"anything that begins with {', '.join(parts)}"
        raise TrainingError(f"training.start {folder}: its model {name!r} lacks {named}")
    weights = {key: theirs[key] for key in wanted}
    if heads:
        same = {n: t for n, t in theirs.items() if n in own and own[n].shape == t.shape and n not in ROWS}
        weights = {**same, **weights}
    count, answered = len(weights), ""
    mine = _vocabulary(task)
    if answers and mine is not None and known is not None and all(row in own and row in theirs for row in ROWS):
        rows = len(theirs[ROWS[0]])
        if rows != len(known):
            raise TrainingError(f"training.start {folder}: {rows} rows of answers, but {len(known)} answers are named")
        weights |= {key: t for key, t in theirs.items() if key.startswith(BEFORE_ROWS)}
        places = answer_rows(mine, known)
        weights |= {row: mapped_rows(theirs[row], places) for row in ROWS}
        answered = f"; {int((places >= 0).sum())} of {len(mine)} answers with their rows, the others zero"
    _put(own, weights, str(folder))
    new, left = _counted(own.keys() - weights.keys()), _counted(theirs.keys() - weights.keys())
    return f"{count} tensors of {folder} (new here: {new}; left there: {left}){answered}"


def _counted(names: Iterable[str]) -> str:
    """How many tensors of each part there are, whatever their order: "classifier 8, image_image 6"; or "none"."""
    counts = Counter(name.split(".")[0] for name in names)
    return ", ".join(f"{part} {count}" for part, count in sorted(counts.items())) or "none"


def answer_rows(mine: AnswerVocabulary, known: AnswerVocabulary) -> Tensor:
    """(my answers,) int64: the row of each in the other head, found by its spelling in a joint table; -1 for none."""
    return torch.tensor([known.number(table_answer(answer)) for answer in mine.answers], dtype=torch.int64)


def mapped_rows(rows: Tensor, places: Tensor) -> Tensor:
    """(A', ...), (A,) -> (A, ...): the chosen rows, zero where the place is -1."""
    kept = rows[places.clamp(min=0)]
    return torch.where((places >= 0).view(-1, *[1] * (rows.ndim - 1)), kept, torch.zeros_like(kept))


def _vocabulary(task: BaseTask) -> AnswerVocabulary | None:
    found = getattr(task, "vocabulary", None)
    return found if isinstance(found, AnswerVocabulary) else None


def _check_inputs(preprocessors: Mapping[str, Preprocessor], bundle: Bundle) -> None:
    """The same word pieces and the same kind of features as in the bundle. Raises `TrainingError`, `DataError`."""
    mine, theirs = preprocessors.get("text"), bundle.preprocessors.get("text")
    both = isinstance(mine, TextPreprocess) and isinstance(theirs, TextPreprocess)
    if both and _pieces(mine) != _pieces(theirs):
        raise TrainingError(
            f"training.start {bundle.folder}: its word pieces are others than this run's; "
            f"set text.vocabulary={bundle.folder}/preprocessing/text"
        )
    seen, before = preprocessors.get("regions"), bundle.preprocessors.get("regions")
    if isinstance(seen, RegionsPreprocess) and isinstance(before, RegionsPreprocess):
        before.identity.check(seen.identity, where="this run's [regions]")


def _pieces(text: Preprocessor | None) -> dict[str, int]:
    return text.tokenizer.get_vocab() if isinstance(text, TextPreprocess) else {}


def _put(own: Mapping[str, Tensor], weights: Mapping[str, Tensor], origin: str) -> None:
    """Copy, after a check of names and shapes. Raises `TrainingError` naming the first that does not fit."""
    for name, tensor in weights.items():
        if name not in own:
            raise TrainingError(f"training.start {origin}: this model has no {name}")
        if own[name].shape != tensor.shape:
            shapes = f"{tuple(tensor.shape)} instead of {tuple(own[name].shape)}"
            raise TrainingError(f"training.start {origin}: {name} has the shape {shapes}")
    with torch.no_grad():
        for name, tensor in weights.items():
            own[name].copy_(tensor)
