"""Explanations of a model that reads scene graphs: nodes are hidden, named, and shaded on the picture."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from chiasm.data.example import Example
from chiasm.explain.explanation import Explanation, explain_example
from chiasm.explain.probe import hide, items, probe
from chiasm.report.page import render_explanations
from chiasm.training.bundle import Bundle
from chiasm.training.recipe import load_recipe
from chiasm.training.run import train


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, list[Example]]:
    recipe = load_recipe("graphvqa_world").tiny().with_settings(["training.epochs=1"])
    result = train(recipe, out=tmp_path_factory.mktemp("graphvqa") / "run", show=False)
    return result.bundle, result.splits["test"].examples[:4]


@pytest.fixture(scope="module")
def explanation(trained: tuple[Bundle, list[Example]]) -> Explanation:
    bundle, examples = trained
    return explain_example(bundle, examples[0], random_orders=3)


def test_a_hidden_node_and_its_edges_are_not_seen(trained: tuple[Bundle, list[Example]]) -> None:
    bundle, examples = trained
    asked = probe(bundle.model, bundle.task, bundle.dataset(examples[:1])[0]).batch
    assert asked.scene_graph is not None
    there = items(asked.scene_graph)
    assert there is not None
    assert torch.equal(there, asked.scene_graph.node_mask)
    hidden = torch.zeros_like(there)
    hidden[0, 0] = True
    changed = hide(asked, "scene_graph", hidden)
    assert changed.scene_graph is not None
    assert changed.scene_graph.node_mask.sum() == there.sum() - 1
    with torch.no_grad():
        scores = [bundle.model(batch).scores["answer"] for batch in (asked, changed)]
        nothing = bundle.model(hide(asked, "scene_graph", there)).scores["answer"]
    assert not torch.equal(*scores)
    assert torch.isfinite(nothing).all()


def test_the_flow_is_the_main_method_and_has_a_faithfulness_score(explanation: Explanation) -> None:
    assert explanation.main is not None
    assert explanation.main.method == "graph_flow"
    assert set(explanation.main.faithfulness) == {"scene_graph"}


def test_nodes_are_named_and_lie_on_the_picture(explanation: Explanation) -> None:
    (view,) = explanation.views
    assert view.stream == "scene_graph"
    assert len(view.boxes) == len(explanation.nodes)
    assert explanation.item_names("scene_graph", len(explanation.nodes)) == list(explanation.nodes)
    assert explanation.main is not None
    assert len(explanation.region_relevance(explanation.main)) == len(explanation.nodes)


def test_a_graph_is_explained_without_its_picture(trained: tuple[Bundle, list[Example]]) -> None:
    bundle, examples = trained
    bare = Example("1", {**examples[0].values, "images": (str(Path("missing") / "1.png"),)})
    assert explain_example(bundle, bare, methods=["graph_flow"], random_orders=2).views == ()


def test_the_page_shows_it(explanation: Explanation) -> None:
    page = render_explanations([explanation], title="Why")
    assert "flow on the graph" in page
    assert "things" in page
