"""Translate sentences with a trained translation model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chiasm.cli._inputs import Bundle, keep_inputs
from chiasm.cli._writing import Beams, Begin, BlockRepeats, Groups, MinWords, Nucleus, Out, Say, Seed


def command(
    bundle: Bundle,
    sentences: Annotated[list[str] | None, typer.Argument(metavar="SENTENCE...", help="What to translate.")] = None,
    file: Annotated[Path | None, typer.Option(metavar="FILE", help="A text file, a sentence each line.")] = None,
    beams: Beams = None,
    groups: Groups = None,
    nucleus: Nucleus = None,
    seed: Seed = None,
    min_words: MinWords = None,
    block_repeats: BlockRepeats = None,
    say: Say = None,
    begin: Begin = None,
    top_k: Annotated[int, typer.Option(min=1, help="Translations of each sentence, best first.")] = 1,
    out: Out = Path("runs/translate/translations.jsonl"),
) -> None:
    """Translate sentences.

    A percentage is the geometric mean of the words' probabilities. `chiasm explain BUNDLE --text "..."` shows which
    words each word of the translation looked at. A sentence's id is its number, in a file that of its line.

    \b
    Examples:
      chiasm translate runs/multi30k/bundle "Ein Hund rennt über die Wiese."
      chiasm translate runs/multi30k/bundle --file letter.de --out letter.jsonl
      chiasm translate runs/multi30k/bundle "Ein Hund rennt." --beams 10 --top-k 3
    """
    from chiasm.cli._writing import write_sentences, writer

    if bool(sentences) == (file is not None):
        raise typer.BadParameter("give either sentences, or --file with a sentence each line")
    keep_inputs(out, file)
    given = list(enumerate(sentences or [], start=1))
    if file is not None:
        lines = file.read_text(encoding="utf-8").split("\n")
        given = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    options = {"beam_size": beams, "groups": groups, "min_words": min_words, "block_repeats": block_repeats}
    predictor = writer(bundle, options=options, nucleus=nucleus, seed=seed, say=say, begin=begin, top_k=top_k)
    rows = [{"id": str(number), "text": sentence} for number, sentence in given]
    write_sentences(predictor, rows, out, top_k=top_k)
