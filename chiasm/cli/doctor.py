"""Say what is installed and works, what each missing extra enables, and the pip line."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import platform
import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from chiasm.version import __version__

# Where the name to import is not the name to install.
IMPORTED_AS = {
    "huggingface-hub": "huggingface_hub",
    "pillow": "PIL",
    "scikit-learn": "sklearn",
    "tomli-w": "tomli_w",
}
# What each extra is for; the packages of an extra are read from the installed metadata.
ENABLES = {
    "datasets": "rows from Hugging Face data sets",
    "dev": "the tests and checks of this project",
    "audio": "sound features",
    "video": "reading video files",
    "ocr": "reading text in images",
    "ray": "extracting features on a Ray cluster",
    "lmdb": "features that MMF keeps in a database",
    "hdf5": "features of BAN and ReGAT",
    "serve": "the HTTP service and the web page",
    "translation": "BLEU of translations with its signature",
    "wandb": "logging runs to Weights & Biases",
}


@dataclass(frozen=True)
class Package:
    """One package that Chiasm can use, and whether it is there."""

    name: str
    wanted: str  # the version range, "" when any will do
    extra: str  # "" for the required ones
    installed: str  # the version, "" when missing
    fits: bool  # whether the installed version is in the range
    problem: str = ""  # why importing it failed; only the required ones are tried


def packages() -> list[Package]:
    """What the installed Chiasm declares as required and as extras, beside what is there."""
    from packaging.requirements import Requirement

    found = []
    for line in importlib.metadata.requires("chiasm") or []:
        requirement = Requirement(line)
        extra = re.search(r"extra == ['\"]([^'\"]+)['\"]", line)
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            version = ""
        fits = bool(version) and requirement.specifier.contains(version, prereleases=True)
        name, group = requirement.name, extra[1] if extra else ""
        problem = _import_problem(name) if fits and not group else ""
        found.append(Package(name, str(requirement.specifier), group, version, fits, problem))
    return found


def _import_problem(name: str) -> str:
    """Why the package cannot be imported, "" when it can: a wheel that is there may still not load."""
    try:
        importlib.import_module(IMPORTED_AS.get(name, name))
    except (ImportError, OSError, RuntimeError) as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    return ""


def machine() -> dict[str, object]:
    """The computer in a few plain values."""
    # As `chiasm.training.data.cache_folder`, which cannot be imported where torch cannot.
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    cache = Path(os.environ.get("CHIASM_CACHE") or user / "chiasm")
    existing = next(folder for folder in [cache, *cache.parents] if folder.exists())
    devices = _devices()
    return {
        "chiasm": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "devices": devices,
        "cache": str(cache),
        "free_gigabytes": round(shutil.disk_usage(existing).free / 1e9, 1),
    }


def _devices() -> str:
    """What torch can compute on."""
    try:
        import torch
    except ImportError:
        return "unknown: torch cannot be imported"
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return ", ".join(["cpu", *names, *(["mps"] if torch.backends.mps.is_available() else [])])


def command(
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Also write everything to this JSON file.")
    ] = None,
) -> None:
    """Say what is installed and works, what each missing extra enables, and the pip line.

    Exit code 1 when a required package is missing, too old or cannot be imported.

    \b
    Examples:
      chiasm doctor
      chiasm doctor --json doctor.json
    """
    about, found = machine(), packages()
    for key, value in about.items():
        print(f"{key.replace('_', ' '):>14}  {value}")
    required = [p for p in found if not p.extra]
    bad = [p for p in required if not p.fits or p.problem]
    print("\nRequired")
    for p in required:
        state = p.installed if p.fits else f"{p.installed or 'missing'}, needs {p.wanted}"
        print(f"  {'NOT' if p in bad else 'ok '} {p.name:<14} {state}  {p.problem}".rstrip())
    _print_extras(found)
    if json_file is not None:
        content = {"machine": about, "packages": [asdict(p) for p in found], "ok": not bad}
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(json.dumps(content, indent=2), encoding="utf-8")
        print(f"\nwritten: {json_file}")
    if bad:
        wanted = " ".join(f"'{p.name}{p.wanted}'" for p in bad)
        raise RuntimeError(f"{len(bad)} required packages do not fit; run: pip install {wanted}")


def _print_extras(found: list[Package]) -> None:
    print("\nExtras")
    for extra in sorted({p.extra for p in found if p.extra}):
        missing = [p.name for p in found if p.extra == extra and not p.fits]
        enables = ENABLES.get(extra, "")
        print(f"  {'NOT' if missing else 'ok '} {extra:<14} {enables}")
        if missing:
            print(f"      {'':<14} missing {', '.join(missing)}: pip install 'chiasm[{extra}]'")
