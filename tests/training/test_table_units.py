"""Tables in their unit: shares in per cent, errors as they are."""

from __future__ import annotations

import pytest

from chiasm.metrics.estimate import Estimate
from chiasm.training.table_file import Row, Table
from chiasm.training.table_text import is_share, table_lines, table_notes
from chiasm.training.tables import MeasuredRow


def measured(value: float, printed: float, *, share: bool) -> MeasuredRow:
    seeds = tuple({"m": Estimate(value * k, value * k / 2, value * k * 2, 9, share)} for k in (1.0, 1.1))
    return MeasuredRow(Row("a row", paper={"m": printed}), seeds)


@pytest.mark.parametrize(
    ("value", "printed", "share", "cells"),
    [
        (0.5, 0.613, True, ["61.30", "52.5 (26.2-105.0, n=9) sd 3.5"]),
        (240.0, 254.0, False, ["254", "252 (126-504, n=9) sd 16.97"]),
    ],
)
def test_a_row_is_printed_in_the_unit_of_what_was_measured(
    value: float, printed: float, share: bool, cells: list[str]
) -> None:
    table = Table("t", ("m",), "", ())
    assert table_lines(table, [measured(value, printed, share=share)], generated=False)[1][1:] == cells


def test_printed_numbers_alone_are_shares_unless_one_is_above_one() -> None:
    rows = [MeasuredRow(Row("a", paper={"m": 0.9, "e": 0.9})), MeasuredRow(Row("b", paper={"m": 0.8, "e": 240.0}))]
    assert is_share(rows, "m")
    assert not is_share(rows, "e")


def test_a_note_names_its_rows_where_rows_differ() -> None:
    def row(name: str, **notes: str) -> MeasuredRow:
        return MeasuredRow(Row(name), notes=notes)

    assert table_notes([row("printed"), row("a", bleu="13a"), row("b", bleu="13a")]) == ["bleu: 13a"]
    differing = [row("a", bleu="13a"), row("b", bleu="char"), row("c", bleu="13a")]
    assert table_notes(differing) == ["bleu: 13a (a, c)", "bleu: char (b)"]
    assert table_notes([row("a")]) == []
