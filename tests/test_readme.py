"""What the README and the documents say is true."""

from __future__ import annotations

import re
from dataclasses import fields
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

from chiasm.cli import verb_names

from .conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted(
    (ROOT / "docs").rglob("*.md")
)


def tree_script() -> ModuleType:
    loader = SourceFileLoader("tree", str(ROOT / "scripts" / "tree"))
    spec = spec_from_loader("tree", loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_the_tree_has_one_true_line_per_file() -> None:
    script = tree_script()
    shown = README.split(script.BEGIN, 1)[1].split(script.END, 1)[0]
    assert shown == script.tree(), "run scripts/tree --write"
    for path in (ROOT / "chiasm").rglob("*.py"):
        if path.name != "__init__.py":
            assert path.name in shown


def test_every_line_of_the_tree_says_something() -> None:
    rows = tree_script().lines(ROOT / "chiasm")
    assert [name.strip() for name, meaning in rows if not meaning] == []


def test_the_readme_shows_both_commands() -> None:
    assert "pip install . && chiasm demo" in README
    assert "pip install -e '.[dev]' && pytest" in README


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text)]
    assert [link for link in links if link and "://" not in link and not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_commands_in_the_documents_use_verbs_that_exist(path: Path) -> None:
    used = re.findall(r"^(?:    |\$ )chiasm (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(used) <= set(verb_names())


def test_recipes_documents_every_key() -> None:
    from chiasm.training.options import Training
    from chiasm.training.recipe import Data

    text = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    keys = [f.name for cls in (Training, Data) for f in fields(cls)]
    assert [key for key in keys if f"`{key}`" not in text] == []


def test_every_model_that_differs_is_in_a_document_that_lists_the_differences() -> None:
    documents = [path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md")]
    for path in (ROOT / "chiasm" / "models").glob("*.py"):
        if "# Differs:" in path.read_text(encoding="utf-8"):
            about = [text for text in documents if f"models/{path.name}" in text or f"`{path.stem}`" in text]
            assert any("Differs" in text for text in about), f"no document says in what models/{path.name} differs"


def test_the_licence_is_whole() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
