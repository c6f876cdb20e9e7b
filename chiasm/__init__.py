"""Chiasm: published cross-modal systems as one family.

>>> import chiasm
>>> model = chiasm.load("runs/demo/bundle")
>>> model.predict(image="scene.png", text="what colour is the thing left of the red cube?")

Nothing heavy is imported here: `chiasm --help` and `import chiasm` do not import torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chiasm.version import __version__

if TYPE_CHECKING:
    from pathlib import Path

    from chiasm.serve.predictor import Predictor

__all__ = ["__version__", "load"]


def load(path: str | Path) -> Predictor:
    """The trained model in the bundle folder `path`, ready for raw inputs.

    Raises `BundleError` when the folder is no bundle, or a file of it is missing or altered.
    """
    from chiasm.serve.predictor import Predictor

    return Predictor.load(path)
