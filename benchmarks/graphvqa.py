"""GraphVQA-GAT beside the released formulation in torch_geometric: same weights, one process, in turn (A B A B).

    python benchmarks/graphvqa.py                        # everything, some minutes on two cores
    python benchmarks/graphvqa.py --rounds 9 --threads 1
    python benchmarks/graphvqa.py --json | tail -1       # the last line is one JSON object

A ratio of 2 means that ours takes half the time. The other side is written here from what the sheet `graphvqa` says of
the released code: nodes and edges concatenated with their instruction, `GATConv` with edge features, three perceptrons
over edges, torch's transformers, and a program decoder (3 layers, 5 programs of 16 tokens, taught), whose loss is
multiplied by 0 and whose work ours leaves out. So a figure stands beside the whole pipeline and beside it without that.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch_geometric.nn import GATConv, LayerNorm
from torch_geometric.utils import scatter, softmax

from chiasm.batch import Batch, SceneGraph, Text
from chiasm.encoders.question import InstructionDecoder, QuestionEncoder, sinusoids
from chiasm.layers import kernels
from chiasm.layers.graphs import graphs_of_examples
from chiasm.models.graphvqa import Config, GraphVqa
from chiasm.objectives.answers import one_answer

GRAPHS, NODES, EDGES, WORDS, ANSWERS = 256, 4140, 13583, 12, 1842
QUESTION_WORDS, GRAPH_WORDS, TOKENS, STEPS, PROGRAM_TOKENS, PROGRAM_WORDS = 3000, 2640, 12, 5, 16, 1000


def perceptron(a: int, b: int, c: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(a, b), nn.ReLU(), nn.Linear(b, c))


class Reasoning(nn.Module):
    """`gat_seq`: five GATConv on nodes and edges with the instruction beside them."""

    def __init__(self) -> None:
        super().__init__()
        made: dict[str, Any] = {"heads": 4, "concat": False, "dropout": 0.1, "add_self_loops": False}
        self.convolutions = nn.ModuleList(GATConv(812, 300, edge_dim=812, **made) for _ in range(STEPS))
        self.norms = nn.ModuleList(nn.BatchNorm1d(300) for _ in range(STEPS - 1))

    def forward(self, h: Tensor, ends: Tensor, e: Tensor, instructions: Tensor, graph: Tensor) -> Tensor:
        for step, convolution in enumerate(self.convolutions):
            told = instructions[:, step]
            nodes = torch.cat([h, told[graph]], 1)
            edges = torch.cat([e, told[graph[ends[0]]]], 1)
            h = convolution(nodes, ends, edges) + h
            if step < STEPS - 1:
                h = functional.dropout(torch.relu(self.norms[step](h)), 0.1, self.training)
        return h


class Released(nn.Module):
    """The whole pipeline, as described."""

    def __init__(self) -> None:
        super().__init__()
        self.graph_words = nn.Embedding(GRAPH_WORDS, 300, padding_idx=0)
        self.words, self.project = nn.Embedding(QUESTION_WORDS, 300), nn.Linear(300, 512)
        made: dict[str, Any] = {
            "d_model": 512,
            "nhead": 8,
            "dim_feedforward": 2048,
            "dropout": 0.1,
            "batch_first": True,
        }
        encoder, decoder = nn.TransformerEncoderLayer(**made), nn.TransformerDecoderLayer(**made)
        self.encoder = nn.TransformerEncoder(encoder, 3, nn.LayerNorm(512), enable_nested_tensor=False)
        self.queries = nn.Parameter(torch.randn(STEPS, 512))
        self.decoder = nn.TransformerDecoder(decoder, 3, nn.LayerNorm(512))
        self.program_words = nn.Embedding(PROGRAM_WORDS, 512)
        self.programmer = nn.TransformerDecoder(decoder, 3, nn.LayerNorm(512))
        self.program_scores = nn.Linear(512, PROGRAM_WORDS)
        self.edge, self.message = perceptron(900, 300, 300), perceptron(600, 300, 300)
        self.node, self.norm = perceptron(600, 300, 300), LayerNorm(300)
        self.reasoning = Reasoning()
        self.node_nn, self.ques_nn = perceptron(300, 512, 512), perceptron(512, 512, 512)
        self.gate_nn = nn.Sequential(nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 1, bias=False))
        self.first, self.second = nn.Linear(1536, 512), nn.Linear(512, ANSWERS)

    def forward(self, given: dict[str, Tensor], programs: Tensor | None) -> tuple[Tensor, Tensor | None]:
        graph, ends = given["graph"], given["ends"]
        memory = self.project(self.words(given["question"])) * 512**0.5 + sinusoids(TOKENS, 512)
        memory = self.encoder(functional.dropout(memory, 0.1, self.training))
        instructions = self.decoder(self.queries.expand(GRAPHS, -1, -1), memory)
        program_scores = None if programs is None else self.programs(instructions, memory, programs)
        x = self.graph_words(given["node_ids"]).sum(1)
        e = self.graph_words(given["edge_ids"]) * given["signs"]
        e = self.edge(torch.cat([x[ends[0]], x[ends[1]], e], 1))
        m = scatter(self.message(torch.cat([x[ends[0]], e], 1)), ends[1], dim_size=NODES, reduce="mean")
        h = self.norm(self.node(torch.cat([x, m], 1)), graph)
        h = self.reasoning(h, ends, e, instructions, graph)
        q, u = memory[:, 0], self.node_nn(h)
        gate = softmax(self.gate_nn(self.ques_nn(q)[graph] * u), graph, num_nodes=GRAPHS)
        g = scatter(gate * u, graph, dim_size=GRAPHS)
        hidden = functional.dropout(torch.cat([g, q, g * q], 1), 0.2, self.training)
        hidden = functional.dropout(functional.elu(self.first(hidden)), 0.2, self.training)
        return self.second(hidden), program_scores

    def programs(self, instructions: Tensor, memory: Tensor, programs: Tensor) -> Tensor:
        """(B, M, D), (B, T, D), (B * M, tokens) -> (B * M, tokens, words), taught."""
        x = self.program_words(programs) + instructions.flatten(0, 1)[:, None] + sinusoids(PROGRAM_TOKENS, 512)
        causal = nn.Transformer.generate_square_subsequent_mask(PROGRAM_TOKENS)
        return self.program_scores(self.programmer(x, memory.repeat_interleave(STEPS, 0), tgt_mask=causal))


def problem() -> tuple[Batch, dict[str, Tensor]]:
    """The same questions and graphs for both: 256 graphs of 6 to 26 nodes, each node with an edge to itself."""
    generator = torch.Generator().manual_seed(0)

    draw = partial(torch.randint, 3, generator=generator)
    sizes = (6 + torch.arange(GRAPHS) * 21 // GRAPHS)[torch.randperm(GRAPHS, generator=generator)]
    sizes[: NODES - int(sizes.sum())] += 1
    starts = torch.cat([torch.zeros(1, dtype=torch.int64), sizes.cumsum(0)])
    graph = torch.arange(GRAPHS).repeat_interleave(sizes)
    further = graph[torch.randint(0, NODES, (EDGES - NODES,), generator=generator)].sort().values
    local = torch.rand(2, len(further), generator=generator).mul(sizes[further]).long() + starts[further]
    ends = torch.cat([torch.arange(NODES).expand(2, -1), local], 1)
    ends = ends[:, graph[ends[0]].argsort(stable=True)]
    edge_graph = graph[ends[0]]
    node_ids, edge_ids = draw(GRAPH_WORDS, (NODES, WORDS)), draw(GRAPH_WORDS, (EDGES,))
    node_ids[:, 3:] = 0  # a name and two attributes
    reverse = torch.rand(EDGES, generator=generator) < 0.3
    question = draw(QUESTION_WORDS, (GRAPHS, TOKENS))
    answers, programs = torch.arange(GRAPHS) % ANSWERS, draw(PROGRAM_WORDS, (GRAPHS * STEPS, PROGRAM_TOKENS))
    flat = {
        "graph": graph, "ends": ends, "node_ids": node_ids, "edge_ids": edge_ids, "question": question,
        "signs": 1.0 - 2.0 * reverse[:, None], "answers": answers, "programs": programs,
    }  # fmt: skip
    counts = torch.bincount(edge_graph, minlength=GRAPHS)
    node_mask = torch.arange(int(sizes.max())) < sizes[:, None]
    edge_mask = torch.arange(int(counts.max())) < counts[:, None]

    def padded(values: Tensor, mask: Tensor) -> Tensor:
        room = values.new_zeros(*mask.shape, *values.shape[1:])
        room[mask] = values
        return room

    inside = (ends - starts[edge_graph]).T.contiguous()
    relations = [padded(values, edge_mask) for values in (inside, edge_ids[:, None], reverse)]
    stream = SceneGraph(padded(node_ids, node_mask), node_mask, *relations[:2], edge_mask, relations[2])
    text = Text(question, torch.ones_like(question, dtype=torch.bool))
    return Batch(text=text, scene_graph=stream, targets={"answer": answers}), flat


def copy_weights(theirs: Released, ours: GraphVqa) -> None:
    """Their weights into ours."""

    def same(module: nn.Module, source: nn.Module) -> None:
        module.load_state_dict(source.state_dict())

    same(ours.question.words, theirs.words)
    same(ours.question.linear, theirs.project)
    _copy_transformer(ours.question, theirs.encoder)
    _copy_transformer(ours.instructions, theirs.decoder)
    ours.instructions.queries.data.copy_(theirs.queries)
    same(ours.graph_words.words, theirs.graph_words)
    for name, source in (("edge", theirs.edge), ("message", theirs.message), ("node", theirs.node)):
        same(ours.graph.get_submodule(f"{name}.first"), source[0])
        same(ours.graph.get_submodule(f"{name}.second"), source[2])
    for layer, convolution in zip(ours.reasoning, theirs.reasoning.convolutions, strict=True):
        pairs = {
            "weight": convolution.lin.weight, "edge_weight": convolution.lin_edge.weight, "bias": convolution.bias,
            "to_source": convolution.att_src, "to_target": convolution.att_dst, "to_edge": convolution.att_edge,
        }  # fmt: skip
        for name, value in pairs.items():
            parameter = layer.get_parameter(f"convolution.{name}")
            parameter.data.copy_(value.reshape(parameter.shape))
    for mine, source in (("node", theirs.node_nn), ("question", theirs.ques_nn), ("gate", theirs.gate_nn)):
        same(ours.pool.get_submodule(mine), source)
    same(ours.answer.first, theirs.first)
    same(ours.answer.second, theirs.second)


def _copy_transformer(ours: QuestionEncoder | InstructionDecoder, theirs: Any) -> None:
    ours.norm.load_state_dict(theirs.norm.state_dict())
    for mine, layer in zip(ours.layers, theirs.layers, strict=True):
        attentions = [(mine.self_attention, layer.self_attn)]
        norms = [mine.self_residual, mine.residual]
        if hasattr(layer, "multihead_attn"):
            attentions.append((mine.cross_attention, layer.multihead_attn))
            norms.insert(1, mine.cross_residual)
        for attention, source in attentions:
            attention.qkv.weight.data.copy_(source.in_proj_weight)
            attention.qkv.bias.data.copy_(source.in_proj_bias)
            attention.output.load_state_dict(source.out_proj.state_dict())
        for number, residual in enumerate(norms, 1):
            residual.norm.load_state_dict(getattr(layer, f"norm{number}").state_dict())
        mine.up.load_state_dict(layer.linear1.state_dict())
        mine.down.load_state_dict(layer.linear2.state_dict())


def in_turn(rounds: int, *calls: Callable[[], object]) -> list[float]:
    """Median seconds of each call, taken in turn after one warm-up each."""
    times: list[list[float]] = [[] for _ in calls]
    for call in calls:
        call()
    for _ in range(rounds):
        for seen, call in zip(times, calls, strict=True):
            start = time.perf_counter()
            call()
            seen.append(time.perf_counter() - start)
    return [statistics.median(seen) for seen in times]


def trainer(model: nn.Module, loss: Callable[[], Tensor], **options: bool) -> Callable[[], None]:
    """A step: forward, backward, Adam."""
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-4, **options)

    def step() -> None:
        model.train()
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option, default in (("--rounds", 5), ("--threads", torch.get_num_threads())):
        parser.add_argument(option, type=int, default=default)
    parser.add_argument("--json", action="store_true", help="also print one JSON line")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    figures = measure(chosen.rounds)
    if chosen.json:
        print(json.dumps(figures))


def measure(rounds: int) -> dict[str, float]:
    """All comparisons: name -> ratio (theirs / ours), and the largest differences."""
    torch.manual_seed(0)
    batch, flat = problem()
    config = Config(vocab_size=QUESTION_WORDS, graph_vocab_size=GRAPH_WORDS, num_labels=ANSWERS, code_parity=True)
    theirs, ours = Released().eval(), GraphVqa(config, {"answer": one_answer}).eval()
    copy_weights(theirs, ours)
    kernel = kernels.choice()
    found: dict[str, float] = {"threads": torch.get_num_threads()}
    print(f"{torch.get_num_threads()} threads, kernel {kernel}; {GRAPHS} graphs, {NODES} nodes, {EDGES} edges")

    def compare(name: str, other: Callable[[], object], mine: Callable[[], object]) -> None:
        plainly, chosen = kernels.using("default"), kernels.using(kernel)
        their_time, plain, our_time = in_turn(rounds, plainly(other), plainly(mine), chosen(mine))
        found[name], found[f"{name}, default kernel"] = their_time / our_time, their_time / plain
        rates = f"{GRAPHS / their_time:8.1f} {GRAPHS / our_time:8.1f} ex/s"
        print(f"{name:44} {rates}  ratio {their_time / our_time:5.2f}  (default kernel {their_time / plain:5.2f})")

    graphs, _ = graphs_of_examples(batch.scene_graph)
    h, e, told = torch.randn(NODES, 300), torch.randn(EDGES, 300), torch.randn(GRAPHS, STEPS, 512)

    def stack() -> Tensor:
        x = h
        for step, layer in enumerate(ours.reasoning):
            x = layer(x, e, graphs, told[:, step])
        return x

    def their_stack() -> Tensor:
        return theirs.reasoning(h, flat["ends"], e, told, flat["graph"])

    with torch.no_grad():  # not inference_mode: the training step below uses the same graphs' indices
        found["stack, largest difference"] = float((stack() - their_stack()).abs().max())
        found["answers, largest difference"] = float((ours(batch).scores["answer"] - theirs(flat, None)[0]).abs().max())
        print({name: value for name, value in found.items() if "difference" in name})
        compare("reasoning stack", their_stack, stack)
        compare("answers", lambda: theirs(flat, flat["programs"]), lambda: ours(batch))
        compare("answers, no program decoder", lambda: theirs(flat, None), lambda: ours(batch))
    assert max(v for n, v in found.items() if "difference" in n) < 1e-5

    def both_losses() -> Tensor:
        scores, programs = theirs(flat, flat["programs"])
        taught = functional.cross_entropy(programs.flatten(0, 1), flat["programs"].flatten())
        return functional.cross_entropy(scores, flat["answers"]) + 0 * taught

    def answer_loss() -> Tensor:
        return functional.cross_entropy(theirs(flat, None)[0], flat["answers"])

    mine = trainer(ours, lambda: ours.losses(ours(batch), batch)["answer"], fused=True)  # as this library trains
    theirs.train(), ours.train()
    backward = "reasoning stack, forward and backward"
    compare(backward, lambda: their_stack().sum().backward(), lambda: stack().sum().backward())
    compare("training step", trainer(theirs, both_losses), mine)
    compare("training step, no program decoder", trainer(theirs, answer_loss), mine)
    return found


if __name__ == "__main__":
    main()
