"""What the word vectors of a writing model encode: frequency and relatedness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chiasm.cli._inputs import Bundle

if TYPE_CHECKING:
    from chiasm.metrics.estimate import Array, Estimate
    from chiasm.metrics.word_vectors import Pair


def command(
    bundle: Bundle,
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

    Spearman's rho, for the target vectors (the last layer's rows) and the input vectors (the embedding's).

    \b
    Examples:
      chiasm words runs/captions/bundle --training captions_train.json --pairs EN-MEN-TR-3k.txt
      chiasm words runs/translation/bundle --training train.en.gz
    """
    from chiasm.cli._show import show_table, written
    from chiasm.data.example import DataError
    from chiasm.data.word_similarity import read_pairs
    from chiasm.explain.caption_figures import magnitudes_by_frequency
    from chiasm.explain.draw import png
    from chiasm.report.tables import Table, write_json
    from chiasm.training.bundle import Bundle as LoadedBundle

    loaded = LoadedBundle.load(bundle)
    vectors, vocabulary = _vectors(loaded.model), getattr(loaded.task, "vocabulary", None)
    if not vectors or vocabulary is None:
        raise DataError(f"{bundle} holds a {loaded.recipe.model!r}, which writes no words")
    counts = _counts(vocabulary.encode(_sentences(training)), len(vocabulary))
    seen = {word: row for row, word in enumerate(vocabulary.words) if counts[row]}
    judged = {file.stem: read_pairs(file) for file in pairs or ()}
    measured = {name: _measured(table, counts, seen, judged) for name, table in vectors.items()}
    rows = [(f"{name}: {one.title}", *one.cells) for name, found in measured.items() for one in found.values()]
    show_table(Table("Word vectors, Spearman's rho", ("vectors", "rho", "95 % interval", "of"), tuple(rows)))
    out.mkdir(parents=True, exist_ok=True)
    (out / "magnitudes.png").write_bytes(png(magnitudes_by_frequency(vectors, counts)))
    record = {name: {what: one.record for what, one in found.items()} for name, found in measured.items()}
    write_json(record, out / "words.json")
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


def _vectors(model: object) -> dict[str, Array]:
    """ "target" and "input" vectors, (words, size) each; none of a model that does not write."""
    import numpy as np

    from chiasm.models._words import WritingModel

    if not isinstance(model, WritingModel):
        return {}
    tables = {"target": model.targets.weight, "input": model.words.weight}
    return {name: np.asarray(table.detach().cpu().double().numpy()) for name, table in tables.items()}  # type: ignore[operator]


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
