"""Scene graphs -> vectors: the sheet's equation 4, the released block, signs of added edges."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from chiasm.encoders.scene_graph import GraphEncoder, GraphWords, ReleasedGraphEncoder, TwoLayers
from tests.layers.test_graphs import EDGES, NODES, SHEET, SOURCE, TARGET, W, close, set_to, stream

Fill = Callable[..., nn.Module]


def test_equation_4_gives_the_sheets_numbers() -> None:
    encoder = GraphEncoder(2, 2)
    set_to(encoder, linear__weight=W)
    nodes, edges = encoder(NODES, EDGES, SHEET)
    close(nodes.detach(), [[0.1, 0.45], [0.133333, 0.266667], [0.2, 0.55]])
    assert torch.equal(edges, EDGES)


def test_a_node_is_the_sum_of_its_words_and_an_added_edge_the_negated_relation() -> None:
    words = GraphWords(10, 3)
    nodes, edges, _ = words(stream(edge_reversed=torch.tensor([[False, False, True], [False] * 3])))
    table = words.words.weight.detach()
    torch.testing.assert_close(nodes[0].detach(), table[4] + table[5])
    torch.testing.assert_close(nodes[1].detach(), table[6])
    torch.testing.assert_close(edges.detach(), torch.stack([table[2], table[3], -table[9], table[2]]))


def test_an_unknown_word_begins_as_nothing_and_the_others_are_drawn_as_ever() -> None:
    torch.manual_seed(3)
    drawn = nn.Embedding(10, 3, padding_idx=0).weight.detach()
    torch.manual_seed(3)
    table = GraphWords(10, 3).words.weight
    assert table.requires_grad
    assert not table[1].any()
    assert torch.equal(table[2:], drawn[2:])


def test_the_released_block_equals_its_formula_on_concatenated_inputs(formula_weights: Fill) -> None:
    encoder = formula_weights(ReleasedGraphEncoder(2, 3), low=-0.9, high=0.9)

    def mlp(module: TwoLayers, x: torch.Tensor) -> torch.Tensor:
        return module.second(torch.relu(module.first(x)))

    edges = mlp(encoder.edge, torch.cat([NODES[SOURCE], NODES[TARGET], EDGES], 1))
    messages = SHEET.mean(mlp(encoder.message, torch.cat([NODES[SOURCE], edges], 1)))
    nodes = encoder.norm(mlp(encoder.node, torch.cat([NODES, messages], 1)), SHEET)
    found = encoder(NODES, EDGES, SHEET)
    torch.testing.assert_close(found[0], nodes)
    torch.testing.assert_close(found[1], edges)
