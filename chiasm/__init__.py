"""Chiasm: published cross-modal systems as one family.

>>> import chiasm
>>> model = chiasm.load("runs/demo/bundle")
>>> model.predict(image="scene.png", text="what colour is the thing left of the red cube?")

>>> model = chiasm.fit(reviews, target="recommended")  # a DataFrame or a file: text, numbers, categories
>>> for answer in model.predict(new_reviews): ...

Nothing heavy is imported here: `chiasm --help` and `import chiasm` do not import torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chiasm.version import __version__

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from chiasm.serve.predictor import Predictor

__all__ = ["__version__", "fit", "from_pretrained", "load"]


def load(path: str | Path) -> Predictor:
    """The trained model in the bundle folder `path`, ready for raw inputs.

    Raises `BundleError` when the folder is no bundle, or a file of it is missing or altered.
    """
    from chiasm.serve.predictor import Predictor

    return Predictor.load(path)


def from_pretrained(name: str | Path, **options: Any) -> Predictor:
    """The trained model in a bundle folder, or of that name on a Hub ("owner/name"), ready for raw inputs.

    `options` are `revision`, `token`, `endpoint`, `device`. Raises `BundleError`, and `HubError` when the Hub has no
    such bundle or is not reached.
    """
    from chiasm.serve.predictor import Predictor

    return Predictor.from_pretrained(name, **options)


def fit(rows: Any, target: str, **options: Any) -> Predictor:
    """A model of the column `target` of your rows, trained on a part of them and measured on the rest.

    `rows` is a DataFrame, a file (CSV, JSON lines, Parquet), a Hugging Face data set or a list of mappings; `options`
    are those of `chiasm.training.fit.fit`: columns, task, settings, out, ... The metrics are in the model's
    `bundle.metrics` and in `out`. Raises `DataError` for rows that cannot be used.
    """
    from chiasm.serve.predictor import Predictor
    from chiasm.training.fit import fit as train

    return Predictor(train(rows, target, **options).bundle)
