"""List, show or copy the recipes: an experiment each, as one TOML file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

JsonFile = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Also write the result to this JSON file.")
]
Name = Annotated[str, typer.Argument(metavar="RECIPE", help="A name from `chiasm recipes list`.")]


def list_recipes(json_file: JsonFile = None) -> None:
    """List the recipes with their titles.

    \b
    Examples:
      chiasm recipes list
      chiasm recipes list --json recipes.json
    """
    from chiasm.recipes import recipe_titles

    titles = recipe_titles()
    width = max(map(len, titles), default=0)
    for name, title in titles.items():
        print(f"{name:<{width}}  {title}")
    _write(titles, json_file)


def show(name: Name, json_file: JsonFile = None) -> None:
    """Print a recipe's TOML text, comments included.

    \b
    Examples:
      chiasm recipes show demo
      chiasm recipes show lxmert_gqa --json lxmert_gqa.json
    """
    import tomllib

    from chiasm.recipes import recipe_text

    text = recipe_text(name)
    print(text, end="")
    _write(tomllib.loads(text), json_file)


def copy(
    name: Name,
    target: Annotated[Path, typer.Argument(metavar="FILE", help="Where to; ends in .toml.")],
    force: Annotated[bool, typer.Option("--force", help="Write over an existing file.")] = False,
) -> None:
    """Copy a recipe, to be changed and trained as `chiasm train FILE`.

    \b
    Example:
      chiasm recipes copy demo mine.toml
      chiasm train mine.toml
    """
    from chiasm.recipes import recipe_text

    if target.suffix != ".toml":
        raise typer.BadParameter(f"{target} must end in .toml, so that `chiasm train` takes it for a file")
    if target.exists() and not force:
        raise FileExistsError(f"{target} exists already; --force writes over it")
    text = recipe_text(name)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    print(f"written: {target}; train it with: chiasm train {target}")


def _write(content: object, json_file: Path | None) -> None:
    if json_file is not None:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"written: {json_file}")


commands = {"list": list_recipes, "show": show, "copy": copy}
