"""Tables in three forms, and numbers as people read them."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from rich.console import Console

from chiasm.metrics.estimate import Estimate, share
from chiasm.report.tables import (
    Table,
    metrics_table,
    percent,
    percent_range,
    range_of,
    signed,
    systems_table,
    to_plain,
    write_json,
)

METRICS = {"accuracy": Estimate(0.9, 0.85, 0.94, 1200), "accuracy/structural/query": share(0, 0)}


def test_numbers_as_people_read_them() -> None:
    assert percent(0.9234) == "92.3 %"
    assert percent(math.nan) == "–"
    assert percent_range(Estimate(0.9, 0.85, 0.94, 1200)) == "85.0–94.0"
    assert percent_range(share(0, 0)) == "no cases"
    assert signed(-0.001) == "+0.00"
    assert signed(-0.25) == "-0.25"
    assert range_of("vocabulary_usage", Estimate(1026, 999.6, 1048.2, 1000, share=False)) == "1,000 to 1,048"


def test_the_text_table_is_aligned() -> None:
    text = metrics_table(METRICS, baselines={"majority": {"accuracy": share(1, 4)}}).to_text()
    assert text.splitlines() == [
        "Metrics",
        "metric                      value  95 % interval      n  majority",
        "-------------------------  ------  -------------  -----  --------",
        "accuracy                   90.0 %      85.0–94.0  1,200    25.0 %",
        "accuracy/structural/query       –       no cases      0         –",
    ]


def test_the_markdown_table_escapes_its_bars() -> None:
    table = Table("T", ("a|b", "n"), (("x", "1"),))
    assert table.to_markdown() == "**T**\n\n| a\\|b | n |\n| --- | ---: |\n| x | 1 |"


def test_the_terminal_table_shows_names_in_brackets() -> None:
    console = Console(width=80)
    with console.capture() as shown:
        console.print(systems_table({"ours [bold]": share(3, 4)}, title="[x]").to_rich())
    assert "ours [bold]" in shown.get()


def test_a_row_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="a row of 1 cells for 2 columns"):
        Table("T", ("a", "b"), (("x",),))


def test_json_holds_plain_values_and_null_for_unknown(tmp_path: Path) -> None:
    write_json(METRICS, tmp_path / "new" / "m.json")
    read = json.loads((tmp_path / "new" / "m.json").read_text())
    assert read["accuracy"] == {"value": 0.9, "low": 0.85, "high": 0.94, "n": 1200}
    assert read["accuracy/structural/query"]["value"] is None
    assert to_plain((1, [math.inf])) == [1, [None]]


def test_a_metric_that_is_no_share_is_no_percentage() -> None:
    table = metrics_table({"rmse": Estimate(1.234, 1.1, 1.4, 50), "distribution": Estimate(8.57, 8.3, 8.84, 100)})
    assert [row[1:3] for row in table.rows] == [("1.23", "1.1 to 1.4"), ("8.57", "8.3 to 8.84")]
