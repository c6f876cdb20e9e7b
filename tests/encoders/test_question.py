"""The question's transformer: torch's own layers give the same numbers, and padding is not seen."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from chiasm.batch import Text
from chiasm.encoders.question import InstructionDecoder, ParserLayer, ParserSizes, QuestionEncoder, sinusoids

SIZES = ParserSizes(hidden_size=16, num_attention_heads=4, intermediate_size=32, num_layers=2, dropout=0.1)
TEXT = Text(torch.tensor([[2, 5, 6, 3], [2, 7, 3, 0]]), torch.tensor([[True] * 4, [True] * 3 + [False]]))


def copy_attention(ours: nn.Module, theirs: nn.Module) -> None:
    theirs.load_state_dict(
        {
            "in_proj_weight": ours.get_parameter("qkv.weight"),
            "in_proj_bias": ours.get_parameter("qkv.bias"),
            "out_proj.weight": ours.get_parameter("output.weight"),
            "out_proj.bias": ours.get_parameter("output.bias"),
        }
    )


def torchs_layer(ours: ParserLayer, *, reads: bool) -> nn.Module:
    make = nn.TransformerDecoderLayer if reads else nn.TransformerEncoderLayer
    theirs = make(16, 4, 32, batch_first=True).eval()
    copy_attention(ours.self_attention, theirs.self_attn)
    norms = [ours.self_residual, *([ours.cross_residual] if reads else []), ours.residual]
    for number, norm in enumerate(norms, 1):
        theirs.get_submodule(f"norm{number}").load_state_dict(norm.norm.state_dict())
    if reads:
        copy_attention(ours.cross_attention, theirs.multihead_attn)
    theirs.linear1.load_state_dict(ours.up.state_dict())
    theirs.linear2.load_state_dict(ours.down.state_dict())
    return theirs


def test_the_encoder_equals_torchs_transformer() -> None:
    torch.manual_seed(0)
    encoder = QuestionEncoder(10, 8, SIZES).eval()
    states, mask = encoder(TEXT)
    expected = encoder.linear(encoder.words(TEXT.input_ids)) * math.sqrt(16) + sinusoids(4, 16)
    for layer in encoder.layers:
        expected = torchs_layer(layer, reads=False)(expected, src_key_padding_mask=~TEXT.attention_mask)
    expected = encoder.norm(expected)
    assert mask is TEXT.attention_mask
    torch.testing.assert_close(states[0], expected[0])
    torch.testing.assert_close(states[1, :3], expected[1, :3])


def test_the_decoder_equals_torchs_transformer_without_a_causal_mask() -> None:
    torch.manual_seed(0)
    decoder = InstructionDecoder(3, SIZES).eval()
    memory = torch.randn(2, 4, 16)
    expected = decoder.queries.expand(2, -1, -1)
    for layer in decoder.layers:
        expected = torchs_layer(layer, reads=True)(expected, memory, memory_key_padding_mask=~TEXT.attention_mask)
    torch.testing.assert_close(decoder(memory, TEXT.attention_mask), decoder.norm(expected))


def test_padding_is_not_seen_unless_asked_for_as_released() -> None:
    torch.manual_seed(0)
    encoder = QuestionEncoder(10, 8, SIZES).eval()
    other = replace(TEXT, input_ids=torch.tensor([[2, 5, 6, 3], [2, 7, 3, 9]]))
    torch.testing.assert_close(encoder(TEXT)[0][1, :3], encoder(other)[0][1, :3])
    encoder.mask_padding = False
    assert encoder(TEXT)[1] is None
    assert not torch.allclose(encoder(TEXT)[0][1, :3], encoder(other)[0][1, :3])


def test_positions_are_the_sinusoids_of_the_transformer() -> None:
    table = sinusoids(3, 4)
    assert table[0].tolist() == [0.0, 1.0, 0.0, 1.0]
    expected = [math.sin(2), math.cos(2), math.sin(0.02), math.cos(0.02)]
    assert table[2].tolist() == pytest.approx(expected)
