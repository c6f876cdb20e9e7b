"""Make a folder of dialogues with features from sounds, words or a published pickle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="The folder that the source reads.")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where dialogues.jsonl and the features go.")],
    source: Annotated[str, typer.Option(help="What kind of data it is: dialogues, meld, iemocap, mosi.")] = "dialogues",
    splits: Annotated[
        list[str] | None, typer.Option("--split", help="A split to take; may be repeated.  [default: the source's]")
    ] = None,
    speech: Annotated[
        Path | None,
        typer.Option(metavar="SOUNDS", help="Add 'audio' features of the files <dialogue>_<position>.wav in SOUNDS."),
    ] = None,
    speech_set: Annotated[str, typer.Option(help="openSMILE's set of speech features.")] = "eGeMAPSv02",
    text_cnn: Annotated[
        Path | None,
        typer.Option(metavar="BUNDLE", help="Add 'text' features by a trained text CNN (recipe text_cnn_meld)."),
    ] = None,
) -> None:
    """Make utterance features, and write the dialogues as the source `dialogues` reads them.

    Without --speech and --text-cnn it only converts: IEMOCAP's published pickle becomes plain files; the pickle is
    read without being run. Utterances are numbered from 0 in each dialogue.

    \b
    Examples:
      chiasm features IEMOCAP --source iemocap --out iemocap_plain
      chiasm features MELD --source meld --split train --split dev --text-cnn runs/text_cnn_meld/bundle --out meld_text
      chiasm features DIALOGUES --speech WAVS --out with_audio
    """
    from chiasm.cli._show import written
    from chiasm.data.dialogue_folder import DIALOGUES, gathered, with_features, write_dialogues
    from chiasm.data.sources import source as source_file

    read = source_file(source)
    chosen = splits or list(read.SPLITS)
    dialogues = [one for split in chosen for one in gathered(read.read(data, split), split)]
    if speech is not None:
        from chiasm.data.speech import SpeechFeatures, speech_tables

        dialogues = with_features(dialogues, "audio", speech_tables(dialogues, speech, SpeechFeatures(speech_set)))
    if text_cnn is not None:
        from chiasm.training.bundle import Bundle
        from chiasm.training.text_features import text_tables

        dialogues = with_features(dialogues, "text", text_tables(dialogues, Bundle.load(text_cnn)))
    write_dialogues(out, dialogues)
    written(out / DIALOGUES)
