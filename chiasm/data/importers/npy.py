"""`npy`: folders of MMF and Pythia, `<id>.npy` with `<id>_info.npy`; or plain ones, `<id>.npy` with `<id>_boxes.npy`.

The info is a pickled dictionary; it is read without being run (`plain_pickle`). Older files of Pythia hold features and
info together in one such dictionary. Plain folders, as scripts with `transformers` write them, hold boxes in [0, 1].
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from chiasm.data.example import DataError, RowError
from chiasm.data.importers import Read, StoredImage, stored
from chiasm.data.plain_pickle import plain_values

INFO, BOXES = "_info", "_boxes"


def read(place: Path) -> Read:
    """The images of a folder and the folders below it."""
    files = sorted(path for path in place.rglob("*.npy") if not path.stem.endswith((INFO, BOXES)))
    if not files:
        raise DataError(f"{place} holds no .npy file")
    for file in files:
        try:
            yield _image(file)
        except RowError as error:
            yield error
        except (DataError, OSError, ValueError) as error:
            yield RowError(str(error), origin=file.name, row_id=file.stem)


def _image(file: Path) -> StoredImage:
    content = read_array(file)
    if isinstance(content, dict):
        return stored(file.stem, content, origin=file.name)
    info, boxes = (file.with_name(f"{file.stem}{end}.npy") for end in (INFO, BOXES))
    if info.exists():
        return stored(file.stem, {**read_array(info), "features": content}, origin=file.name)
    if boxes.exists():
        values = {"features": content, "boxes": read_array(boxes), "width": 1, "height": 1}
        return stored(file.stem, values, origin=file.name)
    raise RowError(f"neither {info.name} nor {boxes.name} is beside it", origin=file.name, row_id=file.stem)


def read_array(file: Path) -> Any:
    """An array, or the plain value of a file that `np.save` was given an object for. Runs nothing of the file."""
    with file.open("rb") as content:
        version = np.lib.format.read_magic(content)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        _, _, dtype = header(content)
        if dtype.hasobject:
            return plain_values(content.read(), where=str(file))
    return np.load(file, allow_pickle=False)
