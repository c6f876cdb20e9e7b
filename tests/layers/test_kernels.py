from __future__ import annotations

import pytest
import torch

from chiasm.layers import kernels


@pytest.fixture(autouse=True)
def _fresh_choice() -> None:
    kernels.choice.cache_clear()


def test_the_faster_kernel_is_taken_when_it_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "_relative_error", lambda product, exact: 4e-7)
    monkeypatch.setattr(kernels, "_seconds", lambda kernel, x, weight: {"default": 2.0, "onednn": 1.0}[kernel])
    assert kernels.choice() == "onednn"


def test_a_kernel_that_rounds_is_refused_however_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "_relative_error", lambda product, exact: 3e-3)
    monkeypatch.setattr(kernels, "_seconds", lambda kernel, x, weight: {"default": 9.0, "onednn": 1.0}[kernel])
    assert kernels.choice() == "default"


def test_a_small_gain_does_not_flip_the_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "_seconds", lambda kernel, x, weight: {"default": 1.1, "onednn": 1.0}[kernel])
    assert kernels.choice() == "default"


def test_bfloat16_products_would_be_noticed() -> None:
    x, weight = torch.randn(64, 768), torch.randn(64, 768)
    rounded = (x.bfloat16() @ weight.bfloat16().T).float()
    assert kernels._relative_error(rounded, x.double() @ weight.double().T) > kernels._ERROR


def test_using_puts_the_setting_back() -> None:
    before = torch.get_float32_matmul_precision()
    with kernels.using("onednn"):
        assert kernels.current() == "onednn"
    assert torch.get_float32_matmul_precision() == before


def test_an_unknown_kernel_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown kernel 'mkl'"):
        kernels.use("mkl")  # type: ignore[arg-type]
