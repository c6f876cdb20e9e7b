"""The published tables: a TOML file in a system's folder here is one, called `<system>/<table>`.

title = "COIN, Table 1: ..."
unit = "per cent"          # of the printed numbers; "" when they are shares, as ours
columns = ["accuracy"]     # the measures that are shown; the files hold all
reference = "COIN"         # the row that the others are tested against; "" for none
[[rows]]
name = "ICON"
recipe = "icon"            # "": not in this library, printed numbers only
settings = ["options.hops=3"]   # what the row changes
paper = { accuracy = 64.0 }     # what is printed, by the measure that it is
"""

from __future__ import annotations

from pathlib import Path

from chiasm.registry import UnknownName, nearest

FOLDER = Path(__file__).parent


def table_names() -> list[str]:
    """All tables, "coin/1", ..."""
    return sorted(f"{path.parent.name}/{path.stem}" for path in FOLDER.glob("*/*.toml"))


def table_path(name: str) -> Path:
    """The file of the table `name`. Raises `UnknownName` with the nearest known name."""
    known = table_names()
    if name not in known:
        raise UnknownName(f"{nearest(name, known, what='table')} (a path must end in .toml)")
    return FOLDER / f"{name}.toml"
