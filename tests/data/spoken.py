"""Speech synthesised on the machine by eSpeak NG (package `espeakng-loader`), for tests."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
_heard: list[NDArray[np.int16]] = []


@_CALLBACK
def _keep(samples: Any, count: int, _: Any) -> int:
    if samples and count:
        _heard.append(np.ctypeslib.as_array(samples, (count,)).copy())
    return 0


@cache
def _speaker() -> tuple[Any, int]:
    loader = pytest.importorskip("espeakng_loader", reason="pip install espeakng-loader")
    library = ctypes.CDLL(loader.get_library_path())
    rate = library.espeak_Initialize(1, 0, str(loader.get_data_path()).encode(), 0)
    library.espeak_SetSynthCallback(_keep)
    library.espeak_SetVoiceByName(b"en")
    return library, rate


def say(text: str, *, pitch: int = 50, speed: int = 175, loudness: int = 100) -> tuple[NDArray[np.float32], int]:
    """(samples,) in [-1, 1] and their rate."""
    library, rate = _speaker()
    _heard.clear()
    for parameter, value in ((1, speed), (2, loudness), (3, pitch)):
        library.espeak_SetParameter(parameter, value, 0)
    words = text.encode()
    library.espeak_Synth(words, len(words) + 1, 0, 0, 0, 1, None, None)
    library.espeak_Synchronize()
    return np.concatenate(_heard).astype(np.float32) / 32768, rate


def write(path: Path, text: str, **how: Any) -> Path:
    """A sound file of somebody who says `text`."""
    sound = pytest.importorskip("soundfile")
    samples, rate = say(text, **how)
    sound.write(path, samples, rate)
    return path
