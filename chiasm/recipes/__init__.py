"""The experiments: a TOML file here is a recipe, found by its name. Nothing here imports torch."""

from __future__ import annotations

import tomllib
from pathlib import Path

from chiasm.registry import UnknownName, nearest

FOLDER = Path(__file__).parent


def recipe_names() -> list[str]:
    """All recipes."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def recipe_path(name: str) -> Path:
    """The file of the recipe `name`. Raises `UnknownName` with the nearest known name."""
    known = recipe_names()
    if name not in known:
        raise UnknownName(f"{nearest(name, known, what='recipe')} (a path must end in .toml)")
    return FOLDER / f"{name}.toml"


def recipe_text(name: str) -> str:
    """The TOML text of the recipe `name`, comments included."""
    return recipe_path(name).read_text(encoding="utf-8")


def recipe_titles() -> dict[str, str]:
    """name -> title of every recipe, for a list."""
    return {name: str(tomllib.loads(recipe_text(name)).get("title", "")) for name in recipe_names()}
