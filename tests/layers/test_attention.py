from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from chiasm.layers.attention import Attention
from chiasm.layers.dropout import Dropout, keep_mask
from chiasm.layers.recording import is_recording, paused, record
from chiasm.layers.transformer import TransformerLayer


def filled(module: torch.nn.Module) -> torch.nn.Module:
    """Weights by a formula, so that no test depends on a seed."""
    for i, parameter in enumerate(module.parameters()):
        values = torch.arange(parameter.numel(), dtype=torch.float32).view_as(parameter)
        parameter.data = torch.sin(values * 0.37 + i) * 0.3
    return module.eval()


def x(rows: int, length: int, size: int = 12) -> Tensor:
    return torch.cos(torch.arange(rows * length * size, dtype=torch.float32) * 0.71).view(rows, length, size)


MASK = torch.tensor([[True, True, True, True], [True, True, False, False]])


def as_torch(ours: Attention) -> torch.nn.MultiheadAttention:
    theirs = torch.nn.MultiheadAttention(ours.hidden_size, ours.num_heads, batch_first=True)
    theirs.load_state_dict(
        {
            "in_proj_weight": ours.qkv.weight,
            "in_proj_bias": ours.qkv.bias,
            "out_proj.weight": ours.output.weight,
            "out_proj.bias": ours.output.bias,
        }
    )
    return theirs.eval()


def test_self_attention_equals_torch() -> None:
    ours = filled(Attention(12, 3))
    states = x(2, 4)
    reference, weights = as_torch(ours)(states, states, states, ~MASK, average_attn_weights=False)
    with record(ours) as seen:
        torch.testing.assert_close(ours(states, MASK), reference)
    torch.testing.assert_close(seen["tap"][0], weights)


def test_attention_to_a_context_equals_torch() -> None:
    ours = filled(Attention(12, 3))
    states, context = x(2, 5), x(2, 4) * 0.5
    reference, _ = as_torch(ours)(states, context, context, ~MASK)
    torch.testing.assert_close(ours(states, MASK, context), reference)


def test_the_first_position_alone_equals_the_first_row_of_the_whole() -> None:
    layer = filled(TransformerLayer(12, 3, 20))
    torch.testing.assert_close(layer.first(x(2, 4), MASK), layer(x(2, 4), MASK)[:, :1])


def test_what_is_masked_has_no_effect() -> None:
    layer = filled(TransformerLayer(12, 3, 20))
    states = x(2, 4)
    changed = states.clone()
    changed[1, 2:] = 1e4
    assert torch.equal(layer(states, MASK)[1, :2], layer(changed, MASK)[1, :2])


def test_a_query_without_any_key_has_a_zero_context() -> None:
    ours = filled(Attention(12, 3))
    nothing = torch.zeros(2, 4, dtype=torch.bool)
    torch.testing.assert_close(ours(x(2, 4), nothing), ours.output.bias.expand(2, 4, 12))


def test_recording_does_not_change_the_answer_by_a_bit() -> None:
    layer = filled(TransformerLayer(12, 3, 20))
    plain = layer.first(x(2, 4), MASK)
    with record(layer) as seen:
        assert torch.equal(layer.first(x(2, 4), MASK), plain)
    assert [t.shape for t in seen["self_attention.attention.tap"]] == [(2, 3, 4, 4)]


def test_a_recording_can_be_differentiated() -> None:
    layer = filled(TransformerLayer(12, 3, 20))
    with record(layer, keep_grad=True) as seen:
        score = layer.first(x(2, 4), MASK).sum()
    (gradient,) = torch.autograd.grad(score, seen["self_attention.attention.tap"][0])
    assert gradient.abs().sum() > 0


def test_a_recording_ends_also_after_an_error_and_does_not_nest() -> None:
    layer = filled(TransformerLayer(12, 3, 20))
    with record(layer), pytest.raises(RuntimeError, match="does not nest"), record(layer):
        pass
    with pytest.raises(RuntimeError, match="boom"), record(layer):
        raise RuntimeError("boom")
    assert not is_recording(layer)


def test_what_passes_in_a_pause_is_not_seen() -> None:
    layer = filled(Attention(12, 3))
    with record(layer) as seen, paused(layer):
        layer(x(1, 2))
    assert seen == {"tap": []}


def test_heads_must_divide_the_hidden_size() -> None:
    with pytest.raises(ValueError, match="hidden_size 10 is not a multiple of num_attention_heads 3"):
        Attention(10, 3)


def test_dropout_keeps_the_share_and_the_mean() -> None:
    torch.manual_seed(0)
    for p in (0.1, 0.5):
        mask = keep_mask(torch.empty(1000, 1003), p)
        assert abs(float((mask == 0).float().mean()) - p) < 0.002
        assert abs(float(mask.mean()) - 1) < 0.005


def test_dropout_draws_neighbours_independently() -> None:
    torch.manual_seed(0)
    kept = (keep_mask(torch.empty(4_000_000), 0.5) > 0).float().view(-1, 4)
    correlation = torch.corrcoef(kept.T) - torch.eye(4)
    assert float(correlation.abs().max()) < 0.005


def test_dropout_repeats_with_the_seed_and_is_the_identity_in_evaluation() -> None:
    drop, states = Dropout(0.3), x(2, 4)
    torch.manual_seed(3)
    first = drop(states)
    torch.manual_seed(3)
    assert torch.equal(drop(states), first)
    assert drop.eval()(states) is states


def test_dropout_of_one_is_refused() -> None:
    with pytest.raises(ValueError, match="below 1, got 1"):
        Dropout(1.0)


def _trained_once(attention: Attention, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """Output and gradient of the weights for a formula-filled input."""
    x = torch.linspace(-2, 2, 3 * 5 * 16).reshape(3, 5, 16).sin()
    attention.zero_grad()
    y = attention(x, mask)
    y.square().sum().backward()
    assert attention.qkv.weight.grad is not None
    return y.detach(), attention.qkv.weight.grad.clone()


@pytest.mark.parametrize("masked", ["nothing", "some", "a whole example"])
def test_the_fused_training_path_gives_the_plain_paths_output_and_gradient(masked: str) -> None:
    attention = filled(Attention(16, 4)).train()
    mask = None if masked == "nothing" else torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]]).bool()
    if masked == "a whole example":
        assert mask is not None
        mask[2] = False
    fused = _trained_once(attention, mask)
    with record(attention):
        plain = _trained_once(attention, mask)
    for a, b in zip(fused, plain, strict=True):
        assert torch.isfinite(a).all()
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


def test_the_fused_path_is_for_training_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nn.functional, "scaled_dot_product_attention", None)  # calling it would fail
    x = torch.ones(1, 2, 16)
    Attention(16, 4).eval()(x)
    Attention(16, 4, dropout=0.5).train()(x)
    with pytest.raises(TypeError):
        Attention(16, 4).train()(x)
