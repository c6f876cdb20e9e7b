"""The figures of one example: those that the model's evidence allows, with their numbers."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import torch
from PIL import Image

from chiasm.cli import main
from chiasm.explain.attention_figures import draw_cross_graph, draw_tokens
from chiasm.explain.attention_graphs import CrossGraph, TokenGraph
from chiasm.explain.explanation import Explanation, explain_example
from chiasm.report.attention import METHOD, attention_figures, figures_page, write_figures
from chiasm.training.bundle import Bundle
from tests.serve.small import examples, small_bundle

NAMES = ["figure_3_language", "figure_3_neighbours", "figure_4_objects", "figure_5_cross", "relevance"]


@pytest.fixture(scope="module")
def explanation() -> Explanation:
    rows = examples(1)
    boxes = ([[2, 2, 20, 20], [8, 6, 40, 30], [30, 10, 60, 40]],)
    row = type(rows[0])("p", {**rows[0].values, "boxes": boxes})
    return explain_example(small_bundle(rows), row, methods=(METHOD,), random_orders=2)


def test_every_figure_is_drawn_with_its_numbers(explanation: Explanation) -> None:
    drawn = {one.name: one for one in attention_figures(explanation)}
    assert list(drawn) == [*NAMES, "perturbation_curves"]
    assert all(Image.open(io.BytesIO(one.picture)).width > 200 for one in drawn.values())
    neighbours = drawn["figure_3_neighbours"].numbers["this model"]
    assert len(neighbours["next"]) == 1, "one language layer"
    assert len(neighbours["next"][0]) == 4, "four heads"
    assert len(drawn["figure_4_objects"].numbers["received"]) == 3
    assert len(drawn["figure_5_cross"].numbers["received"]) == len(explanation.tokens)
    assert set(drawn["perturbation_curves"].numbers) == {"text", "regions"}


def test_a_layer_or_head_that_is_not_there_is_refused(explanation: Explanation) -> None:
    with pytest.raises(ValueError, match="layers 1 to 1 of heads 1 to 4"):
        attention_figures(explanation, layer=1)
    with pytest.raises(ValueError, match="layers 1 to 1 of heads 1 to 4"):
        attention_figures(explanation, head=4)


def test_the_second_of_two_images_is_drawn_when_asked_for() -> None:
    row = examples(1, images=2)[0]
    boxes = ([[2, 2, 20, 20], [8, 6, 40, 30]], [[2, 2, 20, 20], [8, 6, 40, 30], [30, 10, 60, 40]])
    two = type(row)("p", {**row.values, "boxes": boxes})
    found = explain_example(small_bundle([row], images=2), two, methods=(), random_orders=2)
    received = [
        {one.name: one for one in attention_figures(found, view=view)}["figure_4_objects"].numbers["received"]
        for view in (0, 1)
    ]
    assert [len(values) for values in received] == [2, 3]
    with pytest.raises(ValueError, match=r"2 image\(s\); there is no image 3"):
        attention_figures(found, view=2)


def test_names_must_be_as_many_as_the_regions(explanation: Explanation) -> None:
    with pytest.raises(ValueError, match="2 names for 3 regions"):
        attention_figures(explanation, names=["a", "b"])


def test_the_page_holds_every_picture_and_needs_no_network(explanation: Explanation, tmp_path: Path) -> None:
    drawn = attention_figures(explanation)
    page = figures_page(explanation, drawn, title="What it looks at")
    assert page.count("data:image/png;base64,") == len(drawn)
    assert "http" not in page.split("</style>")[1].replace("http-equiv", "")
    assert [path.name for path in write_figures(drawn, tmp_path)] == [f"{one.name}.png" for one in drawn]


def test_a_line_is_as_strong_as_the_attention() -> None:
    layer = torch.tensor([[[0.0, 1.0], [0.5, 0.5]]])
    (axes,) = draw_tokens([(TokenGraph("it", ("a", "b"), (layer,)), 0)]).axes
    assert len(axes.lines) == 3, "the line of no attention is not drawn"
    assert max(float(line.get_alpha() or 0) for line in axes.lines) == pytest.approx(0.5)


def test_words_are_coloured_by_what_they_are() -> None:
    graph = CrossGraph(("the", "dog"), torch.full((2, 3), 1 / 3), torch.full((3, 2), 0.5))
    first = draw_cross_graph(graph, ["1", "2", "3"]).axes[0]
    assert [text.get_color() for text in first.texts[:2]] == ["#e03131", "#1c7ed6"]


def test_the_verb_draws_from_a_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = examples(1)
    bundle = small_bundle(rows)
    monkeypatch.setattr(Bundle, "load", classmethod(lambda cls, folder, **options: bundle))
    rows[0].values["images"][0].save(tmp_path / "a.png")
    asked = ["figures", "b", "--image", str(tmp_path / "a.png"), "--text", "Is the square red?", "--out", str(tmp_path)]
    with pytest.raises(SystemExit) as ended:
        main(asked)
    assert ended.value.code == 0
    assert (tmp_path / "figures.html").is_file()
    assert (tmp_path / "figures.json").is_file()
    assert (tmp_path / "figure_3_language.png").is_file()
    assert "figures" in capsys.readouterr().out
