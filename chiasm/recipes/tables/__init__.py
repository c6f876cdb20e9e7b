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

A table over several data sets has parts, each a recipe; the measures of a part are called "<part>:<measure>". Rows
that begin with pre-trained weights name the stage that makes them; stages may follow each other.

[parts]
vqa = "lxmert_vqa"
nlvr2 = { recipe = "lxmert_nlvr2", settings = ["data.test=[]"] }
[stages.pretrain]
recipe = "lxmert_pretrain"
[[rows]]
name = "full"
after = "pretrain"
part_settings = { vqa = ["training.lr=1e-4"] }   # what this row changes in one part
paper = { "vqa:accuracy" = 69.9 }
[[rows]]
name = "printed only"
parts = []

Beside a recipe's own measures there are "validation:<measure>", where a test set is measured, and "epochs to best minus
0.1", the first epoch whose validation is no further than 0.1 points below the run's best.

In a setting, "{data}" is the data folder; such settings are left out with --tiny and no data.
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
