"""GraphVQA and LCGN: the sheet's structure, every row of Table 1, what each variant may and may not see."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from chiasm.batch import Batch, SceneGraph, Text
from chiasm.layers.recording import record
from chiasm.models import CrossModalModel, model
from chiasm.models.graphvqa import Config, GraphVqa
from chiasm.models.lcgn import Lcgn
from chiasm.objectives.answers import one_answer

SMALL: dict[str, Any] = {
    "vocab_size": 30,
    "graph_vocab_size": 20,
    "num_labels": 7,
    "hidden_size": 8,
    "word_size": 8,
    "instruction_size": 16,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "transformer_layers": 1,
}


def made(name: str = "graphvqa", **options: Any) -> CrossModalModel:
    torch.manual_seed(0)
    file = model(name)
    built: CrossModalModel = file.Model(file.Config(**{**SMALL, **options}), {"answer": one_answer})
    return built.eval()


def batch(*, shared: bool = False) -> Batch:
    """Three questions about three graphs of 4, 2 and 3 nodes, or about the first of them twice and the last."""
    generator = torch.Generator().manual_seed(1)
    sizes = torch.tensor([4, 2, 3])
    node_mask = torch.arange(4) < sizes[:, None]
    ends = torch.stack([torch.arange(7) % sizes[:, None], (torch.arange(7) * 2 + 1) % sizes[:, None]], -1)
    loops = torch.arange(4).expand(3, 4)[..., None].expand(-1, -1, 2)
    graph = SceneGraph(
        node_ids=torch.randint(3, 20, (3, 4, 2), generator=generator) * node_mask[..., None],
        node_mask=node_mask,
        edge_index=torch.cat([loops * node_mask[..., None], ends], 1),
        edge_ids=torch.cat([torch.full((3, 4, 1), 2), torch.randint(3, 20, (3, 7, 1), generator=generator)], 1),
        edge_mask=torch.cat([node_mask, torch.ones(3, 7, dtype=torch.bool)], 1),
        edge_reversed=torch.arange(11).expand(3, -1) > 7,
        index=torch.tensor([[0], [0], [2]]) if shared else None,
    )
    ids = torch.randint(3, 30, (3, 6), generator=generator)
    mask = torch.arange(6) < torch.tensor([6, 4, 5])[:, None]
    return Batch(text=Text(ids * mask, mask), scene_graph=graph, targets={"answer": torch.tensor([1, 4, 6])})


def answers(built: CrossModalModel, asked: Batch) -> Tensor:
    with torch.no_grad():
        return built(asked).scores["answer"]


def with_graph(asked: Batch, **changed: Any) -> Batch:
    assert asked.scene_graph is not None
    return replace(asked, scene_graph=replace(asked.scene_graph, **changed))


def other_question(asked: Batch) -> Batch:
    assert asked.text is not None
    return replace(asked, text=replace(asked.text, input_ids=(asked.text.input_ids + 1) * asked.text.attention_mask))


def without_relations(asked: Batch) -> Batch:
    """Only each node's edge to itself is left."""
    assert asked.scene_graph is not None
    return with_graph(asked, edge_mask=asked.scene_graph.edge_mask & (asked.scene_graph.edge_ids[..., 0] == 2))


ROWS: list[tuple[str, dict[str, Any]]] = [
    ("graphvqa", {}),
    ("graphvqa", {"convolution": "gine"}),
    ("graphvqa", {"convolution": "gcn"}),
    ("graphvqa", {"convolution": "gcn", "use_instructions": False}),
    ("graphvqa", {"convolution": "gine", "theta_layers": 2}),
    ("graphvqa", {"use_graph": False}),
    ("graphvqa", {"use_question": False}),
    ("graphvqa", {"code_parity": True}),
    ("graphvqa", {"code_parity": True, "convolution": "gcn"}),
    ("lcgn", {}),
    ("lcgn", {"code_parity": True, "negative_slope": 0.2, "random_context": True}),
]


@pytest.mark.parametrize(("name", "options"), ROWS)
def test_every_parameter_of_every_row_of_table_1_gets_a_gradient(name: str, options: dict[str, Any]) -> None:
    built = made(name, **options)
    asked = batch()
    built.losses(built(asked), asked)["answer"].backward()
    without = {n for n, p in built.named_parameters() if p.grad is None or not p.grad.any()}
    assert without == set(built.idle_parameters())


@pytest.mark.parametrize(("name", "options"), ROWS)
def test_padding_and_neighbours_do_not_change_an_answer(name: str, options: dict[str, Any]) -> None:
    """Alone (no padding) as among others; but the released encoder does not mask the padding of questions."""
    built, asked = made(name, **options), batch()
    together = answers(built, asked)
    for place in range(3):
        alone = answers(built, cut(asked[place], keep_words=options.get("code_parity", False)))
        # Sums over more rows are taken in another order: 3e-5 was seen.
        torch.testing.assert_close(alone[0], together[place], atol=1e-4, rtol=1e-4)


def cut(one: Batch, *, keep_words: bool) -> Batch:
    """One example without its padding."""
    graph, text = one.scene_graph, one.text
    assert graph is not None
    assert text is not None
    nodes, words = int(graph.node_mask.sum()), text.input_ids.shape[1] if keep_words else int(text.attention_mask.sum())
    shorter = Text(text.input_ids[:, :words], text.attention_mask[:, :words])
    graph = replace(graph, node_ids=graph.node_ids[:, :nodes], node_mask=graph.node_mask[:, :nodes])
    return replace(one, text=shorter, scene_graph=graph)


@pytest.mark.parametrize(("name", "options"), ROWS)
def test_questions_about_one_graph_are_answered_as_about_copies_of_it(name: str, options: dict[str, Any]) -> None:
    built, shared = made(name, **options), batch(shared=True)
    assert shared.scene_graph is not None
    assert shared.scene_graph.index is not None
    rows = shared.scene_graph.index[:, 0]
    copies = replace(shared, scene_graph=replace(shared.scene_graph, index=None).map(lambda t: t[rows]))
    torch.testing.assert_close(answers(built, shared), answers(built, copies), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(("name", "options"), ROWS)
def test_one_node_in_all_is_enough_to_train_on(name: str, options: dict[str, Any]) -> None:
    built, asked = made(name, **options).train(), batch()[1]
    assert asked.scene_graph is not None
    alone = torch.zeros_like(asked.scene_graph.node_mask)
    alone[0, 0] = True
    one = with_graph(asked, node_mask=alone)
    built.losses(built(one), one)["answer"].backward()
    assert all(torch.isfinite(p.grad).all() for p in built.parameters() if p.grad is not None)


def test_only_questions_and_only_graphs_do_not_see_the_other() -> None:
    asked = batch()
    blind, deaf = made(use_graph=False), made(use_question=False)
    assert torch.equal(answers(blind, asked), answers(blind, replace(asked, scene_graph=None)))
    assert torch.equal(answers(deaf, asked), answers(deaf, replace(asked, text=None)))
    assert torch.equal(answers(deaf, asked), answers(deaf, other_question(asked)))


@pytest.mark.parametrize("convolution", ["gat", "gine", "gcn"])
def test_relations_and_instructions_reach_the_answer(convolution: str) -> None:
    built = made(convolution=convolution)
    assert not torch.allclose(answers(built, batch()), answers(built, without_relations(batch())))
    told = [layer.convolution for layer in built.reasoning]  # type: ignore[union-attr]
    weight = told[0].weight if convolution == "gat" else told[0].linear.weight  # type: ignore[union-attr]
    before = answers(built, batch())
    with torch.no_grad():
        part = weight[..., SMALL["hidden_size"] :]
        part += torch.linspace(-0.5, 0.5, part.shape[-1])  # an instruction's mean is 0: a constant would add nothing
    assert not torch.allclose(before, answers(built, batch()))


def test_the_released_gcn_and_gine_run_without_their_convolution() -> None:
    """Sheet, section 7, point 2: between encoder and answer nothing passes along an edge."""
    for convolution in ("gcn", "gine"):
        built = made(convolution=convolution, code_parity=True)
        assert isinstance(built, GraphVqa)
        assert all(layer.convolution is None for layer in built.reasoning)
        assert not built.instructs
    kinds = [type(part).__name__ for part in built.reasoning.layers()[0].after]
    assert kinds == ["BatchNorm", "ReLU", "Dropout"]
    assert len(built.reasoning.layers()[-1].after) == 0


def test_without_instructions_the_question_enters_only_the_answer() -> None:
    built = made(convolution="gcn", use_instructions=False)
    assert not any("instructions" in name for name, _ in built.named_parameters())
    assert built.reasoning[0].convolution.linear.weight.shape == (8, 8)  # type: ignore[index,union-attr]


def test_the_default_has_the_sheets_sizes() -> None:
    with torch.device("meta"):
        built = GraphVqa(Config(), {"answer": one_answer})
    gat = built.reasoning.layers()[0].convolution
    assert gat is not None
    assert gat.get_parameter("weight").shape == (4, 300, 812)
    assert gat.get_parameter("edge_weight").shape == (4, 300, 812)
    assert built.answer.first.weight.shape == (512, 1536)
    assert len(built.reasoning) == len(built.instructions.queries) == 5
    assert len(built.question.layers) == len(built.instructions.layers) == 3
    assert built.graph.linear.weight.shape == (300, 600)


def test_what_is_missing_is_said() -> None:
    with pytest.raises(ValueError, match="needs a text stream"):
        made()(replace(batch(), text=None))
    with pytest.raises(ValueError, match="needs a scene_graph stream"):
        made()(replace(batch(), scene_graph=None))
    with pytest.raises(ValueError, match="LCGN needs text and scene_graph"):
        made("lcgn")(replace(batch(), text=None))
    with pytest.raises(ValueError, match="there is nothing to read"):
        made(use_graph=False, use_question=False)


@pytest.mark.parametrize("name", ["graphvqa", "lcgn"])
def test_evidence_is_a_distribution_over_each_nodes_neighbours(name: str) -> None:
    built, asked = made(name), batch()
    assert asked.scene_graph is not None
    with record(built) as recorded:
        built(asked)
    relation, gate = built.evidence()[:2]
    assert len(relation.modules) == (5 if name == "graphvqa" else 4)
    for module in relation.modules:
        (seen,) = recorded[module]
        real = asked.scene_graph.node_mask.float()[:, None].expand(seen.shape[:-1])
        torch.testing.assert_close(seen.sum(-1), real)
    (weights,) = recorded[gate.modules[0]]
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, 1, 1))
    assert not weights[:, 0, 0][~asked.scene_graph.node_mask].any()


def test_random_context_is_drawn_in_training_and_fixed_when_answering() -> None:
    built, asked = made("lcgn", random_context=True), batch()
    assert isinstance(built, Lcgn)
    assert torch.equal(answers(built, asked), answers(built, asked))
    built.train()
    assert not torch.equal(answers(built, asked), answers(built, asked))
