"""`npz`: one file an image, with the names of bottom-up-attention.pytorch; also what `chiasm features export` writes.

x (R, F)   bbox (R, 4) in pixels   image_w, image_h   and, where known, num_bbox, objects_id, objects_conf, attrs_*
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from chiasm.data.example import DataError, RowError
from chiasm.data.importers import OPTIONAL, Read, stored

WANTED = frozenset({"x", "features", "bbox", "boxes", "num_bbox", "num_boxes", "image_w", "image_h", *OPTIONAL})


def read(place: Path) -> Read:
    """The images of a folder and the folders below it. Arrays that are not wanted (a pickled `info`) are not read."""
    files = sorted(place.rglob("*.npz")) if place.is_dir() else [place]
    if not files:
        raise DataError(f"{place} holds no .npz file")
    for file in files:
        name = file.name.removesuffix(".npz").removesuffix(".jpg")
        try:
            with np.load(file, allow_pickle=False) as arrays:
                values = {key: arrays[key] for key in arrays.files if key in WANTED}
            yield stored(name, values, origin=file.name)
        except RowError as error:
            yield error
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            yield RowError(f"the file is damaged ({error})", origin=file.name, row_id=name)
