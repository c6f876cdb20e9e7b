"""The whole released pipeline in torch_geometric, as the benchmark writes it, and ours: the same answers and steps."""

from __future__ import annotations

import importlib.util
from types import ModuleType
from typing import Any

import pytest
import torch

from chiasm.layers.graphs import graphs_of_examples
from chiasm.models.graphvqa import Config, GraphVqa
from chiasm.objectives.answers import one_answer
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    """benchmarks/graphvqa.py with four graphs instead of 256."""
    pytest.importorskip("torch_geometric")
    spec = importlib.util.spec_from_file_location("graphvqa_benchmark", ROOT / "benchmarks" / "graphvqa.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    small: dict[str, Any] = {"GRAPHS": 4, "NODES": 57, "EDGES": 190, "ANSWERS": 20, "QUESTION_WORDS": 50}
    for name, value in {**small, "GRAPH_WORDS": 60, "PROGRAM_WORDS": 30}.items():
        setattr(module, name, value)
    return module


@pytest.fixture(scope="module")
def both(benchmark: ModuleType) -> tuple[Any, GraphVqa]:
    torch.manual_seed(0)
    config = Config(vocab_size=50, graph_vocab_size=60, num_labels=20, code_parity=True)
    theirs, ours = benchmark.Released().eval(), GraphVqa(config, {"answer": one_answer}).eval()
    benchmark.copy_weights(theirs, ours)
    return theirs, ours


def test_answers_are_equal(benchmark: ModuleType, both: tuple[Any, GraphVqa]) -> None:
    theirs, ours = both
    batch, flat = benchmark.problem()
    with torch.no_grad():
        found, expected = ours(batch).scores["answer"], theirs(flat, flat["programs"])[0]
    assert expected.std() > 0.01
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_reasoning_is_equal_with_its_gradients(benchmark: ModuleType, both: tuple[Any, GraphVqa]) -> None:
    theirs, ours = both
    batch, flat = benchmark.problem()
    graphs, _ = graphs_of_examples(batch.scene_graph)
    generator = torch.Generator().manual_seed(1)
    inputs = [torch.randn(n, 300, generator=generator) for n in (57, 190)]
    told = torch.randn(4, 5, 512, generator=generator)
    states, gradients = [], []
    for side in ("ours", "theirs"):
        h, e, i = (x.clone().requires_grad_() for x in (*inputs, told))
        if side == "theirs":
            x = theirs.reasoning(h, flat["ends"], e, i, flat["graph"])
        else:
            x = h
            for step, layer in enumerate(ours.reasoning):
                x = layer(x, e, graphs, i[:, step])
        states.append(x.detach())
        gradients.append(torch.autograd.grad(x.sin().sum(), (h, e, i)))
    torch.testing.assert_close(states[0], states[1], atol=1e-5, rtol=1e-5)
    for mine, other in zip(*gradients, strict=True):
        assert other.abs().max() > 1e-4
        torch.testing.assert_close(mine, other, atol=1e-5, rtol=1e-4)
