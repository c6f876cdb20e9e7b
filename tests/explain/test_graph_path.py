"""Paths on scene graphs: gold steps, the score, the walk back, and a trained model's files."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from chiasm.data.example import DataError, Example
from chiasm.explain.draw import png
from chiasm.explain.draw_graph import draw_path
from chiasm.explain.graph_path import GraphPath, _walked, gold_steps, graph_paths, not_grounded, path_score, score_paths
from chiasm.explain.methods import method
from chiasm.explain.probe import probe
from chiasm.training.bundle import Bundle
from chiasm.training.recipe import load_recipe
from chiasm.training.run import train


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, list[Example]]:
    recipe = load_recipe("graphvqa_world").tiny().with_settings(["training.epochs=1"])
    result = train(recipe, out=tmp_path_factory.mktemp("graphvqa") / "run", show=False)
    return result.bundle, result.splits["test"].examples[:12]


@pytest.fixture(scope="module")
def paths(trained: tuple[Bundle, list[Example]]) -> list[GraphPath]:
    return graph_paths(*trained)


def test_gold_steps_are_the_objects_that_a_program_names() -> None:
    program = [
        {"operation": "select", "argument": "cube (100)"},
        {"operation": "filter color", "argument": "red (the dark one)"},
        {"operation": "relate", "argument": "toy,to the left of,s (101, 102)"},
        {"operation": "exist", "argument": "? (-)"},
        {"operation": "query", "argument": "color"},
    ]
    assert gold_steps(Example("1", {}, {"program": program})) == [frozenset({"100"}), frozenset({"101", "102"})]
    assert gold_steps(Example("1", {}, {})) == []


def test_a_walk_over_the_gold_nodes_in_order_scores_one_and_backwards_less() -> None:
    forwards = np.array([[1.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    gold = [frozenset({0}), frozenset({1})]
    assert path_score(forwards, gold) == 1.0
    assert path_score(forwards[::-1], gold) == 0.5
    assert path_score(np.full((3, 3), 1 / 3), gold) == pytest.approx(1 / 3)
    assert path_score(np.full((3, 3), 1 / 3), [frozenset({0, 1})]) == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="no gold steps"):
        path_score(forwards, [])


def test_the_flow_is_walked_back_through_the_attention() -> None:
    """The answer reads node 1, which took from node 0 in step 2; node 0 took from itself and node 2 in step 1."""
    first = torch.tensor([[0.5, 0.0, 0.5], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    second = torch.tensor([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    at, taken = _walked([first, second], torch.tensor([0.0, 1.0, 0.0]), 3)
    np.testing.assert_allclose(at, [[0.375, 0.5, 0.125], [0.5, 0.5, 0.0], [0.0, 1.0, 0.0]])
    np.testing.assert_allclose(taken[1], [[0, 0, 0], [0.5, 0, 0], [0, 0, 0]])
    np.testing.assert_allclose(taken[0][0], [0.125, 0, 0.125])


def test_every_row_of_a_path_is_a_distribution_over_its_graph(paths: list[GraphPath]) -> None:
    for path in paths:
        assert path.at.shape == (3, len(path.graph.ids))  # two steps
        np.testing.assert_allclose(path.at.sum(1), 1, atol=1e-5)
        assert len(path.nodes()) == len(path.to_text().split(" > ")) == 3
        assert path.to_json()["path"] == [path.graph.ids[n] for n in path.nodes()]


def test_paths_do_not_depend_on_the_other_examples(
    trained: tuple[Bundle, list[Example]], paths: list[GraphPath]
) -> None:
    bundle, examples = trained
    (alone,) = graph_paths(bundle, examples[5:6])
    np.testing.assert_allclose(alone.at, paths[5].at, atol=1e-5)


def test_scores_stand_beside_shuffled_nodes(paths: list[GraphPath]) -> None:
    scores = score_paths(paths)
    assert set(scores) == {"gold_path", "random", "last_step", "last_step_even", "grounding", "grounding_even"}
    assert all(0 <= e.low <= e.value <= e.high <= 1 for e in scores.values())
    gold = [p for p in paths if gold_steps(p.example)]
    assert scores["gold_path"].n == len(gold)
    told = [GraphPath(p.prediction, p.example, p.graph, _on_gold(p), p.taken) for p in gold]
    assert score_paths(told)["gold_path"].value == pytest.approx(1.0)
    assert score_paths(told)["random"].value < 0.9


def _on_gold(path: GraphPath) -> np.ndarray:
    """A walk that stands on the gold steps' first nodes, the last one at the end."""
    places = {name: place for place, name in enumerate(path.graph.ids)}
    steps = gold_steps(path.example)
    rows = [np.eye(len(places))[places[sorted(step)[0]]] for step in steps]
    return np.stack([*rows, *rows[-1:]])


def test_the_method_gives_the_same_start_as_the_path(
    trained: tuple[Bundle, list[Example]], paths: list[GraphPath]
) -> None:
    bundle, examples = trained
    batch = bundle.dataset(examples[:1])[0]
    found = method("graph_flow").attribute(probe(bundle.model, bundle.task, batch))
    np.testing.assert_allclose(found["scene_graph"][0].numpy(), paths[0].at[0], atol=1e-6)


def test_a_path_is_drawn_with_and_without_a_picture(paths: list[GraphPath]) -> None:
    from PIL import Image

    for image in (None, Image.new("RGB", (32, 32))):
        assert png(draw_path(paths[0], image), dpi=40).startswith(b"\x89PNG")


def test_a_model_without_attention_between_nodes_is_refused(trained: tuple[Bundle, list[Example]]) -> None:
    bundle, examples = trained
    recipe = bundle.recipe.with_settings(["options.convolution=gcn"])
    from chiasm.training.bundle import build_model

    facts = {"vocab_size": bundle.model.config.vocab_size, "graph_vocab_size": bundle.model.config.graph_vocab_size}
    other = build_model(recipe, {**facts, **bundle.task.facts()}, bundle.task).eval()
    with pytest.raises(DataError, match="shows no attention between nodes"):
        graph_paths(Bundle(other, bundle.task, bundle.preprocessors, recipe), examples)


def test_examples_without_programs_have_no_score(paths: list[GraphPath]) -> None:
    bare = [_with(p, Example(p.example.id, p.example.values)) for p in paths]
    assert score_paths(bare) == {}
    assert not_grounded(bare) == []


def test_annotations_alone_are_enough_for_the_grounding(paths: list[GraphPath]) -> None:
    scores = score_paths(paths)
    told = [
        _with(p, replace(p.example, info={k: v for k, v in p.example.info.items() if k != "program"})) for p in paths
    ]
    assert score_paths(told) == {name: scores[name] for name in ("grounding", "grounding_even")}


@pytest.mark.parametrize("thing", [None, {"name": "cube"}], ids=["no object", "no box"])
def test_an_annotation_of_what_the_graph_lacks_is_left_out_of_the_grounding(
    paths: list[GraphPath], thing: dict[str, str] | None
) -> None:
    told = [p for p in paths if (p.example.info["annotations"]["question"])]
    first = told[0].example
    named = next(iter(first.info["annotations"]["question"].values()))
    graph = first.values["graph"]
    others = {i: o for i, o in graph["objects"].items() if i != named} | ({named: thing} if thing else {})
    changed = _with(told[0], replace(first, values={**first.values, "graph": {**graph, "objects": others}}))
    assert not_grounded([changed, *told[1:]]) == [first.id]
    assert score_paths([changed, *told[1:]])["grounding"] == score_paths(told[1:])["grounding"]


def _with(path: GraphPath, example: Example) -> GraphPath:
    return replace(path, example=example)
