"""Speech -> one vector of acoustic features for each utterance, by openSMILE (extra `audio`).

    waveform -> pitch, loudness, mel-frequency cepstral coefficients, ... every 10 ms -> their statistics

# Differs: COIN's 100 published audio features were selected from a larger openSMILE set in a way that is not
published. Here a whole standard set is taken (88 features of eGeMAPS by default); standardise them with
`[dialogue] standardise = true`, as the paper does.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chiasm.data.dialogue_folder import Labelled
from chiasm.data.example import DataError, RowError, raise_rows
from chiasm.registry import nearest

FEATURE_SETS = ("eGeMAPSv02", "GeMAPSv01b", "ComParE_2016", "emobase")
ENDINGS = (".wav", ".flac", ".ogg")


class SpeechFeatures:
    """openSMILE's functionals of one feature set. Raises `DataError` when openSMILE is not installed."""

    def __init__(self, feature_set: str = "eGeMAPSv02") -> None:
        if feature_set not in FEATURE_SETS:
            raise DataError(nearest(feature_set, FEATURE_SETS, what="set of speech features"))
        self.feature_set = feature_set
        opensmile = _opensmile()
        self._smile: Any = opensmile.Smile(
            feature_set=getattr(opensmile.FeatureSet, feature_set),
            feature_level=opensmile.FeatureLevel.Functionals,
        )

    @property
    def names(self) -> list[str]:
        """The features, in order."""
        return list(self._smile.feature_names)

    def of_signal(self, signal: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
        """(samples,) in [-1, 1] at `rate` per second -> (F,). Raises `DataError` for what is no sound.

        A feature that openSMILE leaves undefined, such as the pitch of silence, is 0.
        """
        if signal.ndim != 1 or len(signal) < rate // 20:
            raise DataError(f"a signal of shape {signal.shape} at {rate} Hz: at least 50 ms of one channel are needed")
        if not np.isfinite(signal).all():
            raise DataError("the signal holds values that are not finite numbers")
        found = self._smile.process_signal(signal, rate).to_numpy(dtype=np.float32)[0]
        return np.nan_to_num(found, nan=0.0)

    def of_file(self, path: Path) -> NDArray[np.float32]:
        """A sound file -> (F,), its channels averaged. Raises `DataError` naming the file."""
        sound = importlib.import_module("soundfile")  # comes with openSMILE
        try:
            samples, rate = sound.read(path, dtype="float32", always_2d=True)
        except (OSError, RuntimeError) as error:
            raise DataError(f"{path} cannot be read as sound: {error}") from error
        try:
            return self.of_signal(samples.mean(1), int(rate))
        except DataError as error:
            raise DataError(f"{path}: {error}") from error


def speech_tables(dialogues: Sequence[Labelled], sounds: Path, features: SpeechFeatures) -> list[NDArray[np.float32]]:
    """(U, F) for each dialogue, from the files `<dialogue>_<position>.wav` (.flac, .ogg) below `sounds`.

    Raises `RowError`, or several, naming the utterances whose sound is missing or cannot be read.
    """
    tables, errors = [], []
    for one in dialogues:
        rows = []
        for position in range(len(one.conversation)):
            name = f"{one.conversation.id}_{position}"
            try:
                rows.append(features.of_file(_sound(sounds, name)))
            except DataError as error:
                errors.append(RowError(str(error), origin=one.conversation.origin, row_id=name))
        if not errors:
            tables.append(np.stack(rows))
    raise_rows(errors)
    return tables


def _sound(folder: Path, name: str) -> Path:
    for ending in ENDINGS:
        if (folder / f"{name}{ending}").is_file():
            return folder / f"{name}{ending}"
    raise DataError(f"there is no sound {name}{ENDINGS[0]} in {folder}")


def _opensmile() -> Any:
    try:
        return importlib.import_module("opensmile")
    except ImportError as error:
        raise DataError("speech features need openSMILE: pip install 'chiasm[audio]'") from error
