"""Say what is installed, what each missing extra enables, and the pip line.

Nothing heavy is imported: versions are read from what pip installed.
"""

from __future__ import annotations

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

# What each extra is for; the packages of an extra are read from the installed metadata.
ENABLES = {
    "datasets": "rows from Hugging Face data sets",
    "dev": "the tests and checks of this project",
    "audio": "sound features",
    "video": "reading video files",
    "ocr": "reading text in images",
    "serve": "the HTTP service and the web page",
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
        found.append(Package(requirement.name, str(requirement.specifier), extra[1] if extra else "", version, fits))
    return found


def machine() -> dict[str, object]:
    """The computer in a few plain values."""
    cache = Path(os.environ.get("CHIASM_CACHE", Path.home() / ".cache" / "chiasm"))
    existing = next(folder for folder in [cache, *cache.parents] if folder.exists())
    return {
        "chiasm": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "cache": str(cache),
        "free_gigabytes": round(shutil.disk_usage(existing).free / 1e9, 1),
    }


def command(
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Also write everything to this JSON file.")
    ] = None,
) -> None:
    """Say what is installed, what each missing extra enables, and the pip line.

    Exit code 1 when a required package is missing or too old.

    \b
    Examples:
      chiasm doctor
      chiasm doctor --json doctor.json
    """
    about, found = machine(), packages()
    for key, value in about.items():
        print(f"{key.replace('_', ' '):>14}  {value}")
    required = [p for p in found if not p.extra]
    bad = [p for p in required if not p.fits]
    print("\nRequired")
    for p in required:
        state = p.installed if p.fits else f"{p.installed or 'missing'}, needs {p.wanted}"
        print(f"  {'ok ' if p.fits else 'NOT'} {p.name:<14} {state}")
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
