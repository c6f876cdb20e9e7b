"""Write captions of pictures with a trained captioning model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chiasm.cli._inputs import Bundle, keep_inputs
from chiasm.cli._writing import Beams, Begin, BlockRepeats, Groups, MinWords, Nucleus, Out, Say, Seed


def command(
    bundle: Bundle,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Pictures.")],
    beams: Beams = None,
    groups: Groups = None,
    nucleus: Nucleus = None,
    seed: Seed = None,
    min_words: MinWords = None,
    block_repeats: BlockRepeats = None,
    say: Say = None,
    begin: Begin = None,
    top_k: Annotated[int, typer.Option(min=1, help="Captions of each picture, best first.")] = 1,
    out: Out = Path("runs/caption/captions.jsonl"),
) -> None:
    """Write captions of pictures.

    A percentage is the geometric mean of the words' probabilities. `chiasm explain BUNDLE --image a.jpg` shows which
    part of the picture each word looked at.

    \b
    Examples:
      chiasm caption runs/captions/bundle a.jpg b.jpg
      chiasm caption runs/captions/bundle a.jpg --beams 6 --groups 3 --top-k 6
      chiasm caption runs/captions/bundle a.jpg --nucleus 0.9 --top-k 5 --seed 1
      chiasm caption runs/captions/bundle a.jpg --say dog --begin "a photo of"
    """
    from chiasm.cli._writing import write_sentences, writer

    keep_inputs(out, *images)
    options = {"beam_size": beams, "groups": groups, "min_words": min_words, "block_repeats": block_repeats}
    predictor = writer(bundle, options=options, nucleus=nucleus, seed=seed, say=say, begin=begin, top_k=top_k)
    rows = [{"id": str(image), "image": str(image)} for image in images]
    write_sentences(predictor, rows, out, top_k=top_k)
