"""The rules that keep the house in order, checked on the source itself."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chiasm.models import CrossModalModel, model, model_names
from chiasm.tasks import BaseTask, task, task_names

from .conftest import ROOT

PACKAGE = ROOT / "chiasm"
# Each stage may import from itself and from those before it.
STAGES = [
    "version",
    "registry",
    "batch",
    "data",
    "synth",
    "layers",
    "encoders",
    "fusion",
    "heads",
    "objectives",
    "metrics",
    "models",
    "weights",
    "tasks",
    "recipes",
    "training",
    "explain",
    "report",
    "serve",
    "cli",
]
# Objectives and metrics work on tensors and arrays: they know no files and no rows.
CLOSED = {"objectives": {"data"}, "metrics": {"data"}}
MAX_LINES = 300
MAX_FUNCTION = 60
BANNED_NAMES = {"utils", "util", "helpers", "helper", "misc", "common"}
SOURCES = sorted(PACKAGE.rglob("*.py"))
TORCH_FILES = PACKAGE / "weights" / "_files.py"  # the one place where other people's .pth files are read and written
SCRIPTS = sorted((ROOT / "benchmarks").glob("*.py"))


def stage_of(path: Path) -> str:
    """The first part of a file's place below the package: its folder, or its own name."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported_stages(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every stage that a file imports, anywhere in it, with the line; imports for type checking included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "chiasm":
            parts = node.module.split(".")
            for name in parts[1:2] or [alias.name for alias in node.names]:
                yield node.lineno, name
        elif isinstance(node, ast.Import):
            for alias in node.names:
                parts = alias.name.split(".")
                if parts[0] == "chiasm" and len(parts) > 1:
                    yield node.lineno, parts[1]


def wrong_imports(source: str, stage: str) -> list[str]:
    """The imports in a file of `stage` that point down the list of stages."""
    allowed = set(STAGES[: STAGES.index(stage) + 1]) - CLOSED.get(stage, set())
    found = imported_stages(ast.parse(source))
    return [f"line {line}: {name}" for line, name in found if name in STAGES and name not in allowed]


def forbidden(source: str) -> list[str]:
    """The constructs that the style forbids: pickle, passing over what is missing, an except that hides everything."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ExceptHandler) and node.type is None:
            found.append(f"line {node.lineno}: bare except")
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [alias.name for alias in node.names]
            modules += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            bad = {m.split(".")[0] for m in modules} & {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "joblib"}
            found += [f"line {node.lineno}: imports {name}" for name in sorted(bad)]
        if isinstance(node, ast.Call):
            found += _forbidden_call(node)
    return found


def _forbidden_call(node: ast.Call) -> list[str]:
    found = []
    name = ast.unparse(node.func)
    if name in ("torch.load", "torch.save", "eval", "exec"):
        found.append(f"line {node.lineno}: {name}")
    for keyword in node.keywords:
        value = ast.unparse(keyword.value)
        lax = (keyword.arg, value) in (("strict", "False"), ("weights_only", "False"), ("allow_pickle", "True"))
        if lax:  # of loading, and of zip, where what is missing at the end would not be noticed
            found.append(f"line {node.lineno}: {name}({keyword.arg}={value})")
    return found


def functions(source: str) -> Iterator[tuple[str, int]]:
    """Every function with its length in lines, the docstring not counted."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            first = node.body[0]
            is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            text = (first.end_lineno or first.lineno) - first.lineno + 1 if is_text else 0
            yield node.name, node.end_lineno - node.lineno + 1 - text


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_imports_point_one_way(path: Path) -> None:
    stage = stage_of(path)
    if stage in ("__init__", "__main__"):  # the front door may call anything
        return
    assert stage in STAGES, f"{stage} has no place in the order of stages"
    assert wrong_imports(path.read_text(), stage) == []


def test_the_import_rule_sees_a_wrong_import_inside_a_function() -> None:
    assert wrong_imports("def f():\n    from chiasm.training.run import train", "models") == ["line 2: training"]
    assert wrong_imports("from chiasm import cli", "serve") == ["line 1: cli"]
    assert wrong_imports("import chiasm.data.text", "metrics") == ["line 1: data"]
    assert wrong_imports("from chiasm.data.text import Preprocess", "tasks") == []


@pytest.mark.parametrize("path", [*SOURCES, *SCRIPTS], ids=relative)
def test_no_file_is_over_300_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_LINES


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_no_function_is_over_60_lines(path: Path) -> None:
    assert [(name, n) for name, n in functions(path.read_text()) if n > MAX_FUNCTION] == []


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_every_file_has_a_docstring_and_postponed_annotations(path: Path) -> None:
    source = path.read_text()
    assert ast.get_docstring(ast.parse(source)), "says what it is"
    if any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in ast.parse(source).body):
        assert "from __future__ import annotations" in source


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_public_functions_and_classes_have_docstrings(path: Path) -> None:
    def is_public(node: ast.AST) -> bool:
        return isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")

    tree = ast.parse(path.read_text())
    bare = [n.name for n in tree.body if is_public(n) and not ast.get_docstring(n)]  # type: ignore[attr-defined,arg-type]
    assert bare == []


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_no_pickle_no_lax_loading_no_bare_except(path: Path) -> None:
    found = forbidden(path.read_text())
    if path == TORCH_FILES:
        found = [line for line in found if not line.endswith((": torch.load", ": torch.save"))]
    assert found == []


def test_published_files_are_read_by_torchs_restricted_reader_only() -> None:
    calls = [n for n in ast.walk(ast.parse(TORCH_FILES.read_text())) if isinstance(n, ast.Call)]
    loads = [ast.unparse(call) for call in calls if ast.unparse(call.func) == "torch.load"]
    assert loads
    assert all("weights_only=True" in load for load in loads)


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "torch.load('x')",
        "model.load_state_dict(w, strict=False)",
        "np.load('x', allow_pickle=True)",
        "zip(a, b, strict=False)",
        "try:\n    f()\nexcept:\n    pass",
    ],
)
def test_the_rule_sees_forbidden_constructs(source: str) -> None:
    assert forbidden(source)


def test_no_file_is_named_for_having_no_home() -> None:
    parts = {part for path in SOURCES for part in path.relative_to(PACKAGE).with_suffix("").parts}
    assert parts & BANNED_NAMES == set()


def test_files_name_no_place_of_the_machine_they_were_written_on() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    marks = ["/" + "work/", "/" + "root/", "/" + "tmp/"]
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.is_file() and path.suffix in (".py", ".md", ".toml", ".yaml", ""):
            text = path.read_text(encoding="utf-8")
            assert [mark for mark in marks if mark in text] == [], name


@pytest.mark.parametrize("name", model_names())
def test_every_model_file_defines_a_config_and_a_model(name: str) -> None:
    module = model(name)
    assert issubclass(module.Model, CrossModalModel)
    assert module.Config.__dataclass_params__.frozen
    assert isinstance(module.Model.streams, frozenset)


@pytest.mark.parametrize("name", task_names())
def test_every_task_file_defines_a_task_with_its_own_name(name: str) -> None:
    cls = task(name).Task
    assert issubclass(cls, BaseTask)
    assert cls.name == name


def test_every_source_file_reads_and_says_what_its_folder_must_hold() -> None:
    from chiasm.data.sources import source, source_names

    for name in source_names():
        module = source(name)
        assert callable(module.read), name
        assert module.SPLITS, name
        assert module.FILES, name


def test_every_recipe_loads_and_names_a_model_and_a_task_that_exist() -> None:
    recipes = importlib.import_module("chiasm.training.recipe")
    load: Callable[[str], object] = recipes.load_recipe
    found = sorted(path.stem for path in (PACKAGE / "recipes").glob("*.toml"))
    assert found
    for name in found:
        recipe = load(name)
        assert recipe.model in model_names(), name  # type: ignore[attr-defined]
        assert recipe.task in task_names(), name  # type: ignore[attr-defined]


def test_importing_the_package_does_not_import_torch() -> None:
    code = "import sys, chiasm, chiasm.cli; print([m for m in ('torch', 'pandas', 'transformers') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
