"""The combining methods against the sheet's reference values (section 9) and their edges."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from chiasm.fusion.tabular import Combiner, Sizes, combiner, combiner_names
from chiasm.layers.recording import record

X, C, N = (torch.tensor([v]) for v in ([1.0, 2, -1], [1.0, 0], [0.5, -1.5]))
W_HC, W_HN = [[1, 0.5], [-0.5, 2], [0.3, 0.1]], [[0.4, -1], [1, 0.2], [-0.6, 0.8]]
PLAIN = Sizes(3, 2, 2, categories_batch_norm=False, numbers_batch_norm=False, dropout=0.0)


def build(name: str, sizes: Sizes = PLAIN) -> Combiner:
    return combiner(name).Combine(sizes).eval()


def fill(layer: nn.Linear, weight: object, bias: object = None) -> None:
    with torch.no_grad():
        layer.weight.copy_(torch.as_tensor(weight, dtype=torch.float32))
        if bias is not None:
            layer.bias.copy_(torch.as_tensor(bias, dtype=torch.float32))


def combined(method: Combiner) -> Tensor:
    return method(X, C, N)[0]


def assert_close(found: Tensor, expected: list[float]) -> None:
    torch.testing.assert_close(found, torch.tensor(expected), rtol=0, atol=1e-5)


def test_concat_gives_the_sheets_vector() -> None:
    assert_close(combined(build("concat")), [1, 2, -1, 1, 0, 0.5, -1.5])


def gating(beta: float) -> Combiner:
    method = build("gating", Sizes(3, 2, 2, beta=beta))
    w_gc = [[0.1, 0.2, 0, 0.3, -0.1], [0, 0.1, -0.2, 0.2, 0.4], [0.3, 0, 0.1, -0.5, 0.2]]
    w_gn = [[0.2, 0, 0.1, 0.4, 0.1], [0.1, 0.3, 0, -0.2, -0.1], [0, 0.2, 0.2, 0.1, -0.3]]
    fill(method.parts["categories"].gate, w_gc, [0.1, 0, 0.4])
    fill(method.parts["numbers"].gate, w_gn, [0, 0.1, 0.05])
    fill(method.parts["categories"].value, W_HC)
    fill(method.parts["numbers"].value, W_HN)
    with torch.no_grad():
        method.bias.copy_(torch.tensor([0.1, -0.1, 0.2]))
    return method


def test_gating_gives_the_sheets_gates_and_vector() -> None:
    method = gating(0.2)
    with record(method) as recorded:
        assert_close(combined(method), [1.394494, 1.927702, -1.281332])
    assert_close(recorded["parts.categories.opened"][0].flatten(), [0.9, 0.6, 0.1])
    assert_close(recorded["parts.numbers.opened"][0].flatten(), [0.15, 0.85, 0.75])
    assert_close(recorded["alpha"][0].flatten(), [0.314338])


def test_gating_never_scales_the_shift_up() -> None:
    assert_close(combined(gating(1.0)), [2.255, 1.77, -1.895])


def test_gating_without_a_shift_is_the_text_and_has_finite_gradients() -> None:
    method = build("gating")
    for text in (X, torch.zeros(1, 3)):
        x = text.clone().requires_grad_()
        m = method(x, torch.zeros(1, 2), torch.zeros(1, 2))
        torch.testing.assert_close(m, text)
        (gradient,) = torch.autograd.grad(m.sum(), x)
        assert gradient.isfinite().all()


def test_attention_gives_the_sheets_weights_and_vector() -> None:
    method = build("attention")
    fill(method.values["text"], [[0.5, 0, 0.2], [0.1, 0.3, 0], [0, 0.2, 0.4]])
    fill(method.values["categories"], [[0.2, -0.4], [0.6, 0.1], [0, 0.3]])
    fill(method.values["numbers"], [[-0.5, 0.2], [0.3, 0.7], [0.1, -0.1]])
    with torch.no_grad():
        method.attention.copy_(torch.tensor([[0.3], [-0.2], [0.5], [-1], [0.4], [0.6]]))
    with record(method) as recorded:
        assert_close(combined(method), [-0.064871, 0.039955, 0.078713])
    assert_close(recorded["weights"][0].flatten(), [0.303035, 0.303399, 0.393566])
    method.SLOPE = 0.2
    assert_close(combined(method), [-0.066407, 0.037132, 0.079056])


@pytest.mark.parametrize(("biases", "expected"), [((0.0, 0.0), [1.84, 1.56, -1.9]), ((0.1, -0.2), [1.85, 1.6, -2.08])])
def test_weighted_sum_gives_the_sheets_vector(biases: tuple[float, float], expected: list[float]) -> None:
    method = build("weighted_sum")
    weights = {"categories": [0.5, 1, -1], "numbers": [0.2, 0.3, 0.4]}
    for (name, part), values, bias in zip(method.parts.items(), (W_HC, W_HN), biases, strict=True):
        fill(part.value, values, [bias] * 3)
        with torch.no_grad():
            part.weight.copy_(torch.tensor(weights[name]))
    assert_close(combined(method), expected)


def test_mlp_concat_gives_the_sheets_vector() -> None:
    method = build("mlp_concat")
    fill(method.categories.output, [[0.5, -0.5], [1, 0.25]], [0.1, -0.2])
    fill(method.numbers.hidden[0], [[1, 0.5], [-1, 1]], [0.2, 0])
    fill(method.numbers.output, [[0.3, -0.7]], [0.1])
    assert_close(combined(method), [1, 2, -1, 0.6, 0.8, 0.1])


def test_concat_mlp_gives_the_sheets_vector() -> None:
    # The sheet's single linear layer has two outputs: min(2, 2, 3).
    method = build("concat_mlp")
    fill(method.table.output, [[0.1, 0.2, 0.3, 0.4], [-0.5, 0.5, 1, 0]], [0, 0.1])
    assert_close(combined(method), [1, 2, -1, -0.35, 0.1])


SIZES = {
    "text_only": 3,
    "concat": 7,
    "mlp_concat": 6,
    "concat_mlp": 5,
    "attention": 3,
    "gating": 3,
    "weighted_sum": 3,
    "category_mlp_concat": 7,
}


@pytest.mark.parametrize("name", combiner_names())
def test_the_output_has_the_sheets_size(name: str) -> None:
    method = build(name)
    assert method.output_size == SIZES[name]
    assert combined(method).shape == (SIZES[name],)


@pytest.mark.parametrize("name", combiner_names())
@pytest.mark.parametrize(("categories", "numbers"), [(0, 0), (1, 0), (0, 1), (1, 1), (40, 3), (3, 40)])
def test_a_missing_a_single_and_a_wide_modality_work(name: str, categories: int, numbers: int) -> None:
    method = combiner(name).Combine(Sizes(8, categories, numbers)).train()
    rows = [torch.randn(4, size, generator=torch.Generator().manual_seed(size)) for size in (8, categories, numbers)]
    m = method(*rows)
    assert m.shape == (4, method.output_size)
    assert m.isfinite().all()


@pytest.mark.parametrize("name", [n for n in combiner_names() if n != "text_only"])
def test_every_method_reads_both_parts_of_the_table(name: str) -> None:
    method = build(name, Sizes(8, 5, 3, beta=10.0))
    generator = torch.Generator().manual_seed(1)
    given = [torch.rand(6, size, generator=generator).requires_grad_() for size in (8, 5, 3)]
    gradients = torch.autograd.grad(method(*given).square().sum(), given)
    assert all(gradient.abs().sum() > 0 for gradient in gradients)


@pytest.mark.parametrize("name", combiner_names())
def test_every_gate_that_is_declared_is_recorded(name: str) -> None:
    method = build(name)
    with record(method) as recorded:
        combined(method)
    assert set(method.gates()) == {tap for tap, seen in recorded.items() if seen}
