"""What the word vectors of a writing model encode: frequency and relatedness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from chiasm.data.words import WordVocabulary
    from chiasm.metrics.estimate import Array, Estimate
    from chiasm.metrics.word_vectors import Pair


def command(
    bundles: Annotated[list[Path], typer.Argument(metavar="BUNDLE...", help="Bundle folders that training left.")],
    training: Annotated[
        Path,
        typer.Option(metavar="FILE", help="The training sentences: captions as for `captions`, or lines (.gz too)."),
    ],
    pairs: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Judged pairs of words: SimLex-999, MEN, MTurk-771; may be repeated."),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where words.json and the figure go.")] = Path(
        "runs/words"
    ),
) -> None:
    """What the word vectors of a model that writes encode: how often words occur, and which are related.

    Spearman's rho, for the target vectors (the last layer's rows) and the input vectors (the embedding's). Several
    bundles of the same words, e.g. one with trained and one with fixed targets, share the table and the figure.

    \b
    Examples:
      chiasm words runs/captions/bundle --training captions_train.json --pairs EN-MEN-TR-3k.txt
      chiasm words runs/trained/bundle runs/fixed/bundle --training train.en.gz
    """
    from chiasm.cli._show import show_table, written
    from chiasm.data.word_similarity import read_pairs
    from chiasm.explain.caption_figures import magnitudes_by_frequency
    from chiasm.explain.draw import png
    from chiasm.report.tables import Table, write_json

    read = [_words_of(bundle) for bundle in bundles]
    vocabulary = _same([one.vocabulary for one in read], bundles)
    counts = _counts(vocabulary.encode(_sentences(training)), len(vocabulary))
    seen = {word: row for row, word in enumerate(vocabulary.words) if counts[row]}
    judged = {file.stem: read_pairs(file) for file in pairs or ()}
    tables = {
        (name, title): table
        for name, one in zip(_names(bundles), read, strict=True)
        for title, table in one.vectors.items()
    }
    measured = {place: _measured(table, counts, seen, judged) for place, table in tables.items()}
    titles = {place: ", ".join(place) if len(bundles) > 1 else place[1] for place in tables}
    rows = [(f"{titles[p]}: {one.title}", *one.cells) for p, found in measured.items() for one in found.values()]
    show_table(Table("Word vectors, Spearman's rho", ("vectors", "rho", "95 % interval", "of"), tuple(rows)))
    out.mkdir(parents=True, exist_ok=True)
    figure = magnitudes_by_frequency({titles[place]: table for place, table in tables.items()}, counts)
    (out / "magnitudes.png").write_bytes(png(figure))
    record: dict[str, dict[str, object]] = {}
    for (name, title), found in measured.items():
        record.setdefault(name, {})[title] = {what: one.record for what, one in found.items()}
    write_json(record if len(bundles) > 1 else next(iter(record.values())), out / "words.json")
    written(out / "words.json", out / "magnitudes.png")


@dataclass(frozen=True)
class _Measured:
    """A correlation as it is shown and as it is written."""

    title: str
    rho: Estimate
    of: str  # how much of what there is took part
    record: object

    @property
    def cells(self) -> tuple[str, str, str]:
        return f"{self.rho.value:+.2f}", f"{self.rho.low:+.2f} to {self.rho.high:+.2f}", self.of


def _measured(
    table: Array, counts: Array, seen: Mapping[str, int], judged: Mapping[str, Sequence[Pair]]
) -> dict[str, _Measured]:
    """ "frequency" and each list of judged pairs, for one table of vectors (words, size)."""
    from chiasm.metrics.word_vectors import magnitude_and_frequency, relations

    rho = magnitude_and_frequency(table[counts > 0], counts[counts > 0])
    measured = {"frequency": _Measured("length and frequency", rho, f"{rho.n:,} words", rho)}
    for title, listed in judged.items():
        found = relations(table, seen, listed)
        record = {"rho": found.rho, "covered": found.covered, "pairs": found.pairs}
        measured[title] = _Measured(title, found.rho, f"{found.covered} of {found.pairs} pairs", record)
    return measured


@dataclass(frozen=True)
class _Words:
    """What a bundle has of words."""

    vectors: Mapping[str, Array]  # "target" and "input", (words, size) each
    vocabulary: WordVocabulary


def _words_of(bundle: Path) -> _Words:
    """The word vectors of a bundle. Raises `DataError` for one that does not write."""
    import numpy as np

    from chiasm.data.example import DataError
    from chiasm.models._words import WritingModel
    from chiasm.tasks._sentences import SentenceTask
    from chiasm.training.bundle import Bundle

    loaded = Bundle.load(bundle)
    model, task = loaded.model, loaded.task
    if not isinstance(model, WritingModel) or not isinstance(task, SentenceTask):
        raise DataError(f"{bundle} holds a {loaded.recipe.model!r}, which writes no words")
    tables = {"target": model.targets.weight, "input": model.words.weight}
    vectors = {name: np.asarray(table.detach().cpu().double().numpy()) for name, table in tables.items()}  # type: ignore[operator]
    return _Words(vectors, task.vocabulary)


def _same(vocabularies: Sequence[WordVocabulary], bundles: Sequence[Path]) -> WordVocabulary:
    """The vocabulary of all bundles. Raises `DataError` naming one that has another."""
    from chiasm.data.example import DataError

    for bundle, vocabulary in zip(bundles, vocabularies, strict=True):
        if list(vocabulary.words) != list(vocabularies[0].words):
            raise DataError(f"{bundles[0]} and {bundle} do not write the same words: measure them one by one")
    return vocabularies[0]


def _names(bundles: Sequence[Path]) -> list[str]:
    """What each bundle is called: its run, or its whole path where two runs are called alike."""
    runs = [bundle.parent.name if bundle.name == "bundle" and bundle.parent.name else bundle.name for bundle in bundles]
    return runs if len(set(runs)) == len(runs) else [str(bundle) for bundle in bundles]


def _counts(sentences: list[list[int]], size: int) -> Array:
    """(words,) how often training has each; the special words, which are no words, 0."""
    import numpy as np

    from chiasm.data.words import SPECIAL

    counts = np.bincount([number for sentence in sentences for number in sentence], minlength=size).astype(np.float64)
    counts[: len(SPECIAL)] = 0
    return counts


def _sentences(file: Path) -> list[str]:
    import gzip

    from chiasm.data.caption_files import read_references
    from chiasm.data.example import DataError

    if file.suffix in (".json", ".jsonl") or file.name.endswith(".token.txt"):
        return [text for texts in read_references(file).values() for text in texts]
    try:
        content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    except (OSError, gzip.BadGzipFile) as error:
        raise DataError(f"{file} cannot be read ({error})") from error
    return content.decode("utf-8").splitlines()
