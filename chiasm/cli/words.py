"""What the word vectors of a writing model encode: frequency and relatedness."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chiasm.cli._inputs import Bundle

if TYPE_CHECKING:
    from chiasm.metrics.estimate import Array


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
    from chiasm.metrics.word_vectors import magnitude_and_frequency, relations
    from chiasm.report.tables import Table, write_json
    from chiasm.training.bundle import Bundle as LoadedBundle

    loaded = LoadedBundle.load(bundle)
    vectors, vocabulary = _vectors(loaded.model), getattr(loaded.task, "vocabulary", None)
    if not vectors or vocabulary is None:
        raise DataError(f"{bundle} holds a {loaded.recipe.model!r}, which writes no words")
    counts = _counts(vocabulary.encode(_sentences(training)), len(vocabulary))
    seen = {word: row for row, word in enumerate(vocabulary.words) if counts[row]}
    judged = {file.stem: read_pairs(file) for file in pairs or ()}
    record: dict[str, object] = {}
    rows = []
    for name, table in vectors.items():
        rho = magnitude_and_frequency(table[counts > 0], counts[counts > 0])
        measured: dict[str, object] = {"frequency": rho}
        rows.append(
            (
                f"{name}: length and frequency",
                f"{rho.value:+.2f}",
                f"{rho.low:+.2f} to {rho.high:+.2f}",
                f"{rho.n:,} words",
            )
        )
        for title, listed in judged.items():
            found = relations(table, seen, listed)
            measured[title] = {"rho": found.rho, "covered": found.covered, "pairs": found.pairs}
            interval = f"{found.rho.low:+.2f} to {found.rho.high:+.2f}"
            rows.append(
                (f"{name}: {title}", f"{found.rho.value:+.2f}", interval, f"{found.covered} of {found.pairs} pairs")
            )
        record[name] = measured
    show_table(Table("Word vectors, Spearman's rho", ("vectors", "rho", "95 % interval", "of"), tuple(rows)))
    out.mkdir(parents=True, exist_ok=True)
    (out / "magnitudes.png").write_bytes(png(magnitudes_by_frequency(vectors, counts)))
    write_json(record, out / "words.json")
    written(out / "words.json", out / "magnitudes.png")


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
