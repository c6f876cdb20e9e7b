"""What every test shares: one thread, the place of the real data, a cache of its own, weights by formula."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

ROOT = Path(__file__).resolve().parent.parent

torch.set_num_threads(1)


class SharedData:
    """The folder of real data sets: `shared_data("easy_vqa")`, or `shared_data / "easy_vqa"`, is a set.


    A test that asks for a set that is not there is skipped, and the message names the set.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *parts: str) -> Path:
        path = self.folder.joinpath(*parts)
        if not path.exists():
            pytest.skip(f"the data set {'/'.join(parts)!r} is not in {self.folder} (set CHIASM_SHARED_DATA)")
        return path

    def __truediv__(self, name: str) -> Path:
        return self(*Path(name).parts)

    def __fspath__(self) -> str:
        return str(self.folder)


def fill_by_formula(module: nn.Module, *, low: float = -0.1, high: float = 0.1) -> nn.Module:
    """The same module, every parameter spread evenly from `low` to `high`, in the order of names.

    It is the same on every machine and in every version of torch, which a seed is not. Layer norms keep
    weight 1 and bias 0.
    """
    with torch.no_grad():
        for name, parameter in sorted(module.named_parameters()):
            if parameter.ndim == 1 and "norm" in name.lower():
                parameter.fill_(1.0 if name.endswith("weight") else 0.0)
            else:
                steps = torch.arange(parameter.numel(), dtype=torch.float64) * 0.6180339887498949 % 1.0
                parameter.copy_((low + (high - low) * steps).reshape(parameter.shape))
    return module


@pytest.fixture(scope="session")
def shared_data() -> SharedData:
    """The real data sets: where `CHIASM_SHARED_DATA` says, else in `../shared/data` beside the checkout."""
    return SharedData(Path(os.environ.get("CHIASM_SHARED_DATA", ROOT.parent / "shared" / "data")))


@pytest.fixture(scope="session")
def formula_weights() -> Callable[..., nn.Module]:
    """`formula_weights(module)` fills a module's parameters by a formula; see `fill_by_formula`."""
    return fill_by_formula


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache of this test run's own, so that a test neither reads nor fills the person's."""
    folder = tmp_path_factory.mktemp("cache")
    before = os.environ.get("CHIASM_CACHE")
    os.environ["CHIASM_CACHE"] = str(folder)
    yield folder
    if before is None:
        del os.environ["CHIASM_CACHE"]
    else:
        os.environ["CHIASM_CACHE"] = before


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """A test that changed the number of threads does not change the next one's."""
    torch.set_num_threads(1)
