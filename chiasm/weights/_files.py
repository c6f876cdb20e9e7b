"""Files of published weights, read and written without running what they hold.

A source is a file of tensors (`.safetensors`; `.pth`, `.pt`, `.bin`, in which torch's restricted reader admits tensors
and nothing else), a folder with such a file and a `config.json`, or the name of a repository on the Hub.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from chiasm.weights._renaming import WeightsError

CONFIG = "config.json"
SAFE, TORCH = "model.safetensors", "pytorch_model.bin"
PICKLED = (".pth", ".pt", ".bin")
WANTED = ("*.safetensors", "*.bin", "*.json")  # of a repository on the Hub


@dataclass(frozen=True)
class Source:
    """Tensors by name, and the values of the `config.json` beside them (empty for a lone file)."""

    tensors: Mapping[str, Tensor]
    config: Mapping[str, Any] = field(default_factory=dict)


def read_source(source: str | Path) -> Source:
    """The weights in a file, in a folder, or on the Hub. Raises WeightsError."""
    path = local(source)
    if path.is_file():
        return Source(read_tensors(path))
    config = read_json(path / CONFIG) if (path / CONFIG).is_file() else {}
    for name in (SAFE, TORCH):
        if (path / name).is_file():
            return Source(read_tensors(path / name), config)
        if (path / f"{name}.index.json").is_file():
            return Source(_read_parts(path, f"{name}.index.json"), config)
    raise WeightsError(f"{path} holds neither {SAFE} nor {TORCH}")


def local(source: str | Path) -> Path:
    """The file or folder of a source; what lies on the Hub is downloaded first. Raises WeightsError."""
    path = Path(source)
    if path.exists():
        return path
    if str(source).count("/") != 1 or str(source).startswith((".", "/", "~")):
        raise WeightsError(f"{source} is neither a file, nor a folder, nor the name of a repository (owner/name)")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    try:
        return Path(snapshot_download(str(source), allow_patterns=list(WANTED)))
    except (HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, OSError) as error:
        raise WeightsError(f"{source} is no file or folder here, and cannot be had from the Hub: {error}") from error


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of one file, by name. Raises WeightsError when it holds anything else."""
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        if path.suffix not in PICKLED:
            raise WeightsError(f"{path.name}: weights end in .safetensors, {', '.join(PICKLED)}")
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} cannot be read: {error}") from error
    except WeightsError:
        raise
    except Exception as error:  # torch raises errors of the module that this package does not import
        reason = str(error).split("\n", 1)[0]
        raise WeightsError(f"{path} cannot be read as tensors alone, and is read in no other way: {reason}") from error
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
        raise WeightsError(f"{path} holds other things than named tensors: a state dict is expected")
    return {str(name): value for name, value in found.items()}


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises WeightsError."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise WeightsError(f"{path} should hold a JSON object")
    return value


def write_file(path: Path, tensors: Mapping[str, Tensor], *, overwrite: bool) -> None:
    """A file for torch's own loader, in the form of the original code. Raises WeightsError when it is there already."""
    _refuse(path, overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ".partial")
    torch.save(dict(tensors), aside)
    aside.replace(path)


def write_folder(folder: Path, tensors: Mapping[str, Tensor], config: Mapping[str, Any], *, overwrite: bool) -> None:
    """A folder of `model.safetensors` and `config.json`. Raises WeightsError when it is there already."""
    _refuse(folder, overwrite)
    aside = folder.with_name(folder.name + ".partial")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    save_file({name: t.contiguous() for name, t in tensors.items()}, aside / SAFE, metadata={"format": "pt"})
    (aside / CONFIG).write_text(json.dumps(dict(config), indent=2) + "\n", encoding="utf-8")
    if folder.exists():
        shutil.rmtree(folder)
    aside.rename(folder)


def _refuse(path: Path, overwrite: bool) -> None:
    """Only what this package would write there may be overwritten: never a folder with other things in it."""
    if not path.exists():
        return
    foreign = path.is_dir() and {p.name for p in path.iterdir()} - {SAFE, CONFIG}
    if foreign:
        raise WeightsError(f"{path} holds other things ({min(foreign)}); choose another place")
    if not overwrite:
        raise WeightsError(f"{path} is there already; overwrite it (--overwrite), or choose another place")


def _read_parts(folder: Path, index: str) -> dict[str, Tensor]:
    """Weights in several files, by the index that lists them."""
    files = read_json(folder / index).get("weight_map")
    if not isinstance(files, dict) or any(Path(str(name)).name != name for name in files.values()):
        raise WeightsError(f"{folder / index} should say in which file of the folder each tensor is")
    tensors: dict[str, Tensor] = {}
    for name in sorted(set(files.values())):
        tensors.update(read_tensors(folder / name))
    return tensors
