"""What a recipe would learn, before anything is trained."""

from __future__ import annotations

import json
from pathlib import Path

from chiasm.report.tables import targets_table
from chiasm.training.recipe import Recipe, load_recipe
from chiasm.training.targets import SplitTargets, preview_targets

ROWS = """
model = "text_tabular"
task = {{ name = "classify", kind = "{kind}" }}
[data]
source = "rows"
train = ["train"]
test = ["test"]
[data.options]
columns = {{ text = "text", label = "answer", split = "split" }}
[text]
"""


def previewed(folder: Path, kind: str, labels: dict[str, list[object]]) -> list[SplitTargets]:
    file = folder / "rows.jsonl"
    rows = [
        {"text": f"this is text number {i}", "label": label, "split": split}
        for split, given in labels.items()
        for i, label in enumerate(given)
    ]
    file.write_text("\n".join(map(json.dumps, rows)))
    return preview_targets(Recipe.from_toml(ROWS.format(kind=kind)), file, show=False)


def test_each_answer_has_its_place_and_what_training_lacks_is_not_learnt(tmp_path: Path) -> None:
    train, test = previewed(tmp_path, "one", {"train": ["a", "b", "a", None], "test": ["c", "b", "c", ""]})
    assert (train.split, train.rows, train.learnt) == ("train", 4, 3)
    assert train.table[0] == {"answer": "a", "count": 2, "share": 0.5, "target": 0}
    assert (test.rows, test.learnt) == (4, 1)
    assert targets_table(test).to_text().splitlines()[0] == "test: 1 of 4 rows have an answer that is learnt"
    assert targets_table(test).rows == (
        ("c", "2", "50.0 %", "not learnt"),
        ("(none)", "1", "25.0 %", ""),
        ("b", "1", "25.0 %", "1"),
    )


def test_several_labels_of_a_row_count_each(tmp_path: Path) -> None:
    train, _ = previewed(tmp_path, "several", {"train": [["x", "y"], ["x"], []], "test": [["y"]]})
    assert [(line["answer"], line["count"]) for line in train.table] == [("x", 2), ("(none)", 1), ("y", 1)]
    assert train.learnt == 2


def test_answers_of_a_generated_world_are_numbered_by_the_task() -> None:
    recipe = load_recipe("demo").tiny()
    train, *_ = preview_targets(recipe, rows=3, show=False)
    assert train.numbered
    assert train.learnt == train.rows
    assert [line["target"] for line in train.table][:3] == [0, 1, 2]
    assert train.table[-1]["answer"].endswith("further answers)")
    assert sum(line["count"] for line in train.table) == train.rows
