"""Graph layers: the sheet's reference numbers, torch_geometric's layers, and graphs laid out and padded again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from chiasm.batch import SceneGraph
from chiasm.layers.batch_norm import BatchNorm
from chiasm.layers.context import ContextStep
from chiasm.layers.convolutions import Convolution, Sizes, convolution, convolution_names
from chiasm.layers.graphs import GraphNorm, Graphs, graphs_of, graphs_of_examples
from chiasm.layers.recording import Tap, record
from chiasm.models.graphvqa import GraphLayer

Fill = Callable[..., nn.Module]

# Sheet `graphvqa`, section 9.
SOURCE, TARGET = torch.tensor([0, 1, 2, 0, 1, 1, 2]), torch.tensor([0, 1, 2, 1, 0, 2, 1])
NODES = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
EDGES = torch.tensor([[0.0, 0.0]] * 3 + [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
INSTRUCTION = torch.tensor([[0.5, -1.0]])
W = torch.tensor([[0.5, -0.2, 0.1, 0.3], [0.2, 0.4, -0.3, 0.1]])
W_E = torch.tensor([[0.3, 0.1, 0.2, -0.1], [-0.2, 0.5, 0.1, 0.2]])
SHEET = Graphs(torch.arange(3), SOURCE, TARGET, 1, 3)


def layer(name: str, **changed: object) -> Convolution:
    sizes: dict[str, object] = {"nodes": 2, "edges": 2, "instruction": 2, "output": 2, "num_heads": 1}
    made: Convolution = convolution(name).Layer(Sizes(**{**sizes, **changed}))  # type: ignore[arg-type]
    return made.eval()


def set_to(module: nn.Module, **values: Tensor) -> None:
    with torch.no_grad():
        for name, value in values.items():
            parameter = module.get_parameter(name.replace("__", "."))
            parameter.copy_(value.reshape(parameter.shape))


def sheet_gat() -> Convolution:
    gat = layer("gat")
    vectors = {"to_source": [0.6, -0.4], "to_target": [0.2, 0.7], "to_edge": [1.0, -0.5]}
    set_to(gat, weight=W, edge_weight=W_E, **{name: torch.tensor(v) for name, v in vectors.items()})
    return gat


def close(found: Tensor, expected: object) -> None:
    torch.testing.assert_close(found, torch.tensor(expected), atol=2e-6, rtol=0)


def test_gat_gives_the_sheets_scores_weights_and_states() -> None:
    gat = sheet_gat()
    joined = torch.cat([NODES, INSTRUCTION.expand(3, -1)], 1)
    close(joined @ gat.weight[0].T, [[0.25, -0.05], [-0.45, 0.15], [0.05, 0.35]])  # type: ignore[index]
    scores = gat.scores(NODES, EDGES, SHEET, INSTRUCTION)  # type: ignore[operator]
    # -.008 and -.088 are after the LeakyReLU
    close(scores[:, 0], [0.46, -0.008, 0.42, 0.86, -0.088, 0.05, 0.33])
    weights = [0.633671, 0.209018, 0.591459, 0.497910, 0.366329, 0.408541, 0.293072]
    close(SHEET.softmax(scores)[:, 0], weights)
    states = [[-0.006430, 0.023266], [0.045073, 0.109032], [-0.154271, 0.268292]]
    close(gat(NODES, EDGES, SHEET, INSTRUCTION).detach(), states)
    skipping = GraphLayer(gat, 2, adds=True, last=True, dropout=0.0)
    skipped = [[0.993570, 0.023266], [0.045073, 1.109032], [0.845729, 1.268292]]
    close(skipping(NODES, EDGES, SHEET, INSTRUCTION).detach(), skipped)


def test_gat_records_what_each_node_takes_from_each_other() -> None:
    gat = sheet_gat()
    with record(gat) as recorded:
        gat(NODES, EDGES, SHEET, INSTRUCTION)
    (seen,) = recorded["tap"]
    rows = [[0.633671, 0.366329, 0.0], [0.497910, 0.209018, 0.293072], [0.0, 0.408541, 0.591459]]
    close(seen[0, 0], rows)


def test_gcn_is_the_mean_of_equation_7_or_as_released_the_symmetric_norm() -> None:
    mean, symmetric = layer("gcn"), layer("gcn", released=True)
    for gcn in (mean, symmetric):
        set_to(gcn, linear__weight=W)
    close(mean(NODES, EDGES, SHEET, INSTRUCTION).detach(), [[-0.1, 0.05], [-0.05, 0.15], [-0.2, 0.25]])
    equation_7 = GraphLayer(mean, 2, adds=False, last=True, dropout=0.0)
    close(equation_7(NODES, EDGES, SHEET, INSTRUCTION).detach(), [[0.0, 0.05], [0.0, 0.15], [0.0, 0.25]])
    released = [[-0.058712, 0.036237], [-0.027526, 0.172474], [-0.158712, 0.236237]]
    close(symmetric(NODES, EDGES, SHEET, INSTRUCTION).detach(), released)


def test_gine_sums_neighbours_and_edges_with_and_without_self_loops() -> None:
    whole, matrix = layer("gine", output=4), layer("gine")
    set_to(whole, linear__weight=torch.eye(4))
    set_to(matrix, linear__weight=W)
    inputs = [[2.0, 1.0, 2.5, -1.0], [3.0, 2.0, 3.5, -1.0], [2.0, 4.0, 2.5, -1.0]]
    close(whole(NODES, EDGES, SHEET, INSTRUCTION).detach(), inputs)
    close(matrix(NODES, EDGES, SHEET, INSTRUCTION).detach(), [[0.75, -0.05], [1.15, 0.25], [0.15, 1.15]])
    bare = Graphs(torch.arange(3), SOURCE[3:], TARGET[3:], 1, 3)
    without = [[1.0, 1.0, 1.5, -1.0], [3.0, 1.0, 2.5, -1.0], [1.0, 3.0, 1.5, -1.0]]
    close(whole(NODES, EDGES[3:], bare, INSTRUCTION).detach(), without)


def test_nodes_are_pooled_with_the_sheets_weights() -> None:
    pooled, weights = SHEET.pool(torch.tensor([[0.2], [-0.1], [0.7]]), NODES)
    close(weights[0], [0.295025, 0.218560, 0.486415])
    close(pooled[0], [0.781440, 0.704975])


def test_graph_norm_gives_the_sheets_numbers() -> None:
    graphs = Graphs(torch.tensor([0, 1, 2]), torch.arange(3), torch.arange(3), 2, 2)
    normed = GraphNorm()(torch.tensor([[1.0, 2.0], [3.0, 4.0], [0.0, 6.0]]), graphs).detach()
    close(normed, [[-1.341629, -0.447210], [0.447210, 1.341629], [-0.999997, 0.999997]])


def sheet_matrix(outputs: int, inputs: int, start: int) -> Tensor:
    entries = [((7 * k + start) % 11 - 5) / 10 for k in range(outputs * inputs)]
    return torch.tensor(entries).view(outputs, inputs)


def test_lcgn_gives_the_sheets_scores_weights_messages_and_states(monkeypatch: pytest.MonkeyPatch) -> None:
    step, tap = ContextStep(2, 2), Tap()
    scores: list[Tensor] = []
    given: dict[str, Tensor] = {}
    softmax = Graphs.softmax
    monkeypatch.setattr(Graphs, "softmax", lambda graphs, raw: softmax(graphs, scores.append(raw) or raw))
    for name in ("query", "update"):
        part = step.get_submodule(name)
        part.register_forward_pre_hook(lambda _, inputs, name=name: given.update({name: inputs[0].detach()}))
    set_to(
        step,
        local__weight=0.5 * torch.eye(2),
        context__weight=torch.tensor([[1.0, 0.0], [0.2, 1.0]]),
        key_gate__weight=torch.tensor([[1.0, 0.0], [0.0, 0.5]]),
        value_gate__weight=torch.tensor([[0.5, 0.5], [1.0, 0.0]]),
        query__weight=sheet_matrix(2, 6, 0),
        key__weight=sheet_matrix(2, 6, 3),
        value__weight=sheet_matrix(2, 6, 6),
        update__weight=sheet_matrix(2, 4, 9),
    )
    both = Graphs(torch.arange(2), torch.tensor([0, 1, 0, 1]), torch.tensor([0, 0, 1, 1]), 1, 2)
    tap.seen = []
    context = torch.tensor([[0.5, 0.5], [-0.5, 1.0]])
    new = step(torch.eye(2), context, torch.tensor([[1.0, -1.0]]), both, tap)
    close(tap.seen[0][0, 0], [[0.544972, 0.455028], [0.456020, 0.543980]])
    close(given["query"], [[1.0, 0.0, 0.5, 0.5, 0.25, 0.0], [0.0, 1.0, -0.5, 1.0, 0.0, 0.45]])
    close(scores[0].detach().view(2, 2), [[0.170625, -0.009750], [-0.043625, 0.132750]])
    close(given["update"][:, 2:], [[0.0, -0.329922], [0.0, -0.399304]])
    close(new.detach(), [[0.101023, -0.234016], [-0.319791, -0.370139]])


@pytest.mark.parametrize("name", ["gat", "gcn", "gine"])
def test_convolutions_equal_torch_geometrics(name: str, formula_weights: Fill) -> None:
    """Concatenated inputs through its layers, ours folded: several graphs, several edges between the same nodes."""
    geometric = pytest.importorskip("torch_geometric.nn")
    torch.manual_seed(0)
    slots = torch.tensor([0, 1, 2, 3, 5, 6, 10, 11, 12, 13])  # three graphs of 4, 2 and 4 nodes in rooms of 5
    source = torch.tensor([0, 0, 1, 3, 4, 5, 6, 7, 8, 9, 9, *range(10)])
    target = torch.tensor([1, 1, 2, 0, 5, 4, 7, 6, 9, 8, 8, *range(10)])
    graphs = Graphs(slots, source, target, 3, 5)
    nodes, edges, instruction = torch.randn(10, 6), torch.randn(len(source), 6), torch.randn(3, 4)
    ours = formula_weights(layer(name, nodes=6, edges=6, instruction=4, output=5, num_heads=3, released=True))
    joined = torch.cat([nodes, instruction[graphs.node_graph]], 1)
    joined_edges = torch.cat([edges, instruction[graphs.edge_graph]], 1)
    ends = torch.stack([source, target])
    if name == "gat":
        theirs = geometric.GATConv(10, 5, heads=3, concat=False, edge_dim=10, add_self_loops=False)
        set_to(theirs, lin__weight=ours.weight, lin_edge__weight=ours.edge_weight, bias=ours.bias)
        set_to(theirs, att_src=ours.to_source, att_dst=ours.to_target, att_edge=ours.to_edge)
        expected = theirs(joined, ends, joined_edges)
    elif name == "gcn":
        theirs = geometric.GCNConv(10, 5)  # adds no second self-loop where there is one
        set_to(theirs, lin__weight=ours.linear.weight, bias=ours.linear.bias)
        expected = theirs(joined, ends)
    else:
        theta = nn.Sequential(nn.Linear(10, 5), nn.ReLU(), nn.Linear(5, 5))
        theirs = geometric.GINEConv(theta)  # it initialises theta anew
        set_to(theta[0], weight=ours.linear.weight, bias=ours.linear.bias)
        set_to(theta[2], weight=ours.further[1].weight, bias=ours.further[1].bias)
        expected = theirs(joined, ends, joined_edges)
    torch.testing.assert_close(ours(nodes, edges, graphs, instruction), expected, atol=1e-6, rtol=1e-5)


def test_the_norm_equals_torch_geometrics() -> None:
    geometric = pytest.importorskip("torch_geometric.nn")
    graphs = Graphs(torch.tensor([0, 1, 2, 4, 5]), torch.arange(5), torch.arange(5), 2, 4)
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(GraphNorm()(x, graphs), geometric.LayerNorm(1, affine=False)(x, graphs.node_graph))


def test_gat_with_dropped_weights_takes_less_of_the_instruction(formula_weights: Fill) -> None:
    """The path for training equals the concatenated formula with the same weights dropped."""
    gat = formula_weights(layer("gat", num_heads=2, attention_dropout=0.5)).train()
    dropped: list[Tensor] = []
    gat.dropout.register_forward_hook(lambda _, __, kept: dropped.append(kept))
    torch.manual_seed(1)
    found = gat(NODES, EDGES, SHEET, INSTRUCTION)
    joined = torch.cat([NODES, INSTRUCTION.expand(3, -1)], 1)
    messages = torch.einsum("hof,nf->nho", gat.weight, joined)[SOURCE] * dropped[0][..., None]
    assert (dropped[0] == 0).any()
    torch.testing.assert_close(found, SHEET.total(messages).mean(1) + gat.bias)


def test_every_convolution_reads_its_instruction_and_only_that_of_its_graph(formula_weights: Fill) -> None:
    two = Graphs(torch.arange(4), torch.arange(4), torch.arange(4), 2, 2)
    for name in convolution_names():
        conv = formula_weights(layer(name))
        nodes, edges = torch.ones(4, 2), torch.zeros(4, 2)
        plain = conv(nodes, edges, two, torch.zeros(2, 2))
        told = conv(nodes, edges, two, torch.tensor([[0.0, 0.0], [1.0, 2.0]]))
        assert torch.equal(plain[:2], told[:2])
        assert not torch.allclose(plain[2:], told[2:]), name


def stream(**changed: object) -> SceneGraph:
    """Two graphs of three and one node, the second asked twice."""
    return SceneGraph(
        node_ids=torch.tensor([[[4, 5], [6, 0], [7, 0]], [[8, 0], [0, 0], [0, 0]]]),
        node_mask=torch.tensor([[True, True, True], [True, False, False]]),
        edge_index=torch.tensor([[[0, 0], [0, 1], [2, 1]], [[0, 0], [0, 0], [0, 0]]]),
        edge_ids=torch.tensor([[[2], [3], [9]], [[2], [0], [0]]]),
        edge_mask=torch.tensor([[True, True, True], [True, False, False]]),
        **changed,  # type: ignore[arg-type]
    )


def test_graphs_are_laid_out_without_padding() -> None:
    graphs, real = graphs_of(stream())
    assert graphs.slots.tolist() == [0, 1, 2, 3]
    assert (graphs.source.tolist(), graphs.target.tolist()) == ([0, 0, 2, 3], [0, 1, 1, 3])
    assert graphs.node_graph.tolist() == [0, 0, 0, 1]
    assert graphs.degrees.tolist() == [1, 2, 0, 1]
    assert int(real.sum()) == 4


def test_examples_about_one_graph_share_its_rows() -> None:
    graphs, rows = graphs_of_examples(stream(index=torch.tensor([[1], [0], [1]])))
    assert rows.tolist() == [3, 0, 1, 2, 3]
    assert graphs.node_graph.tolist() == [0, 1, 1, 1, 2]
    assert graphs.edge_rows is not None
    assert graphs.edge_rows.tolist() == [3, 0, 1, 2, 3]
    assert (graphs.source.tolist(), graphs.target.tolist()) == ([0, 1, 1, 3, 4], [0, 1, 2, 2, 4])


def test_edges_of_a_hidden_node_are_hidden() -> None:
    shown = stream()
    shown.node_mask[0, 2] = False
    graphs, real = graphs_of(shown)
    assert graphs.source.tolist() == [0, 0, 2]
    assert real.tolist() == [[True, True, False], [True, False, False]]


def test_a_graph_without_nodes_is_pooled_to_zero() -> None:
    graphs = Graphs(torch.tensor([2]), torch.zeros(0).long(), torch.zeros(0).long(), 2, 2)
    pooled, weights = graphs.pool(torch.ones(1, 1), torch.ones(1, 3))
    assert pooled.tolist() == [[0.0] * 3, [1.0] * 3]
    assert weights.tolist() == [[0.0, 0.0], [1.0, 0.0]]


def test_several_nodes_are_normed_as_a_batch_and_one_by_the_running_statistics() -> None:
    ours, theirs = BatchNorm(2), nn.BatchNorm1d(2)
    assert torch.equal(ours(NODES), theirs(NODES))
    assert all(torch.equal(a, b) for a, b in zip(ours.buffers(), theirs.buffers(), strict=True))
    before = [buffer.clone() for buffer in ours.buffers()]
    alone = ours(NODES[:1])
    assert all(torch.equal(a, b) for a, b in zip(ours.buffers(), before, strict=True))
    torch.testing.assert_close(alone, theirs.eval()(NODES[:1]))


def test_softmax_survives_scores_of_any_size() -> None:
    scores = torch.tensor([[1e4], [0.0], [-1e4], [1e4], [0.0], [-1e4], [0.0]])
    weights = SHEET.softmax(scores)
    assert torch.isfinite(weights).all()
    torch.testing.assert_close(SHEET.total(weights), torch.ones(3, 1))


def test_sizes_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="their sizes 2 and 3 must be equal"):
        layer("gine", edges=3)
    with pytest.raises(ValueError, match="theta_layers is 3"):
        layer("gine", theta_layers=3)


def test_two_layers_of_theta_are_those_of_the_appendix() -> None:
    kinds = [type(part).__name__ for part in layer("gine", theta_layers=2).further]  # type: ignore[union-attr]
    assert kinds == ["ReLU", "Linear", "ReLU", "BatchNorm"]
