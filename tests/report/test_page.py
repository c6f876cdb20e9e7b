"""The page: self-contained, complete, honest about generated data, safe against what people type."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from chiasm.explain.explanation import Explanation, explain_example
from chiasm.metrics.estimate import Estimate, share
from chiasm.report.contents import Example, Report, parts_of
from chiasm.report.html import VOID
from chiasm.report.page import render, render_explanations, write_page
from tests.serve.small import examples, small_bundle

METRICS = {
    "accuracy": share(900, 1000),
    "accuracy/structural/query": share(95, 100),
    "accuracy/detailed/query_attribute": share(9, 10),
}


@pytest.fixture(scope="module")
def explanation() -> Explanation:
    rows = examples(2)
    return explain_example(small_bundle(rows), rows[0], random_orders=2)


@pytest.fixture(scope="module")
def report(explanation: Explanation) -> Report:
    return Report(
        title="A run",
        metrics=METRICS,
        generated=True,
        baselines={"question only": share(450, 1000), "majority answer": share(200, 1000)},
        baseline_parts={"question only": {"accuracy/structural/query": share(30, 100)}},
        journal=[{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0}, {"step": 2, "validation": {"accuracy": 0.8}}],
        examples=[Example(explanation, True), Example(replace(explanation, expected="red"), False)],
        recipe='title = "A <run>"',
        environment={"seed": 3, "packages": {"torch": "2.9"}},
    )


class Balance(HTMLParser):
    """Checks that every element is closed, in order; collects ids and what is loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.images: list[dict[str, str | None]] = []

    def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        self.ids += [found["id"]] if found.get("id") else []  # type: ignore[list-item]
        self.addresses += [value for key, value in attributes if key in ("src", "href") and value]
        if name == "img":
            self.images.append(found)
        if name not in VOID:
            self.open.append(name)

    def handle_startendtag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(name, attributes)
        if name not in VOID:
            self.open.pop()

    def handle_endtag(self, name: str) -> None:
        if name in VOID:
            assert self.open[-1] != name
            return
        assert self.open.pop() == name


def parsed(page: str) -> Balance:
    parser = Balance()
    parser.feed(page)
    parser.close()
    return parser


def test_every_element_is_closed_and_every_id_its_own(report: Report) -> None:
    found = parsed(render(report))
    assert found.open == []
    assert len(found.ids) == len(set(found.ids))


def test_nothing_is_loaded_from_anywhere(report: Report) -> None:
    page = render(report)
    assert all(address.startswith("data:image/") for address in parsed(page).addresses)
    assert "http" not in page
    assert "<script" not in page
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)


def test_every_picture_has_words_for_those_who_do_not_see_it(report: Report) -> None:
    assert all(image.get("alt") for image in parsed(render(report)).images)
    assert '<html lang="en">' in render(report)


def test_numbers_stand_with_their_intervals_beside_the_baselines(report: Report) -> None:
    page = render(report)
    for text in ("90.0 %", "88.0–91.7", "question only", "45.0 %", "majority answer", "query attribute"):
        assert text in page


def test_numbers_on_generated_data_are_labelled_wherever_they_stand(report: Report) -> None:
    page = render(report)
    assert page.count('class="badge"') == 3, "result, types and training"
    assert "not results on real data" in page
    real = render(replace(report, generated=False))
    assert 'class="badge"' not in real
    assert "generated world" not in real.lower()


def test_generated_numbers_never_stand_beside_printed_ones(report: Report) -> None:
    with pytest.raises(ValueError, match="do not compare with printed ones"):
        replace(report, paper={"accuracy": 72.5})
    assert "printed in the paper: accuracy 72.5" in render(replace(report, generated=False, paper={"accuracy": 72.5}))


def test_right_and_wrong_are_words_not_only_colours(report: Report) -> None:
    page = render(report)
    assert "✓ right" in page
    assert "✗ wrong" in page
    assert "expected <strong>red</strong>" in page


def test_the_faithfulness_score_stands_beside_random_orders(report: Report) -> None:
    page = render(report)
    assert re.search(r"words: [+-]\d\.\d\d; random orders [+-]\d\.\d\d, mostly", page)
    assert "random orders</th>" in page


def test_what_people_type_stays_text(explanation: Explanation) -> None:
    nasty = replace(explanation, text='<img src=x onerror="alert(1)">', tokens=("[CLS]", "<img", "[SEP]"))
    page = render_explanations([nasty], title="<b>title</b>")
    assert "<img src=x" not in page
    assert "<b>title</b>" not in page
    parsed(page)


def test_a_report_without_examples_log_or_parts_is_still_a_page() -> None:
    page = render(Report(title="bare", metrics={"accuracy": Estimate(0.5, 0.4, 0.6, 10)}))
    assert parsed(page).open == []
    assert "50.0 %" in page


def test_the_headline_must_be_among_the_metrics() -> None:
    with pytest.raises(ValueError, match="'f1' is not among the metrics: accuracy"):
        Report(title="x", metrics={"accuracy": share(1, 2)}, headline="f1")


def test_parts_are_grouped_by_facet() -> None:
    assert set(parts_of(METRICS, "accuracy")) == {"structural", "detailed"}
    assert set(parts_of({"accuracy/number": share(1, 2)}, "accuracy")["type"]) == {"number"}


def test_a_failed_write_leaves_the_former_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_page("old", tmp_path / "new" / "r.html")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("chiasm.report.page.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_page("new", path)
    assert path.read_text() == "old"
    assert [file.name for file in path.parent.iterdir()] == ["r.html"]


def test_types_that_count_something_are_curves_and_named_types_are_bars(report: Report) -> None:
    metrics = {**METRICS, "accuracy/words/4": share(9, 10), "accuracy/words/5": share(7, 10)}
    page = render(replace(report, metrics=metrics))
    assert "By number of words" in page
    assert page.count('role="listitem"') == 3 + 2, "three systems and two named types"


def test_a_predicted_number_is_reported_in_its_unit() -> None:
    metrics = {"r2": Estimate(0.41, 0.3, 0.5, 200), "rmse": Estimate(12.5, 11.0, 13.9, 200)}
    page = render(Report(title="x", metrics=metrics, headline="r2", baselines={"mean": Estimate(0.0, -0.1, 0.1, 200)}))
    assert '<span class="big">0.41</span>' in page
    assert "-0.1 to 0.1" in page
    assert "41.0 %" not in page
