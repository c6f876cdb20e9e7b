"""`hdf5`: the features of BAN and ReGAT, `<split>36.hdf5`, or `<split>.hdf5` with 10 to 100 boxes (extra `hdf5`).

The image ids stand in `<name>_imgid2idx.pkl` beside it, a pickle that is read without being run; they are numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from chiasm.data.example import DataError
from chiasm.data.importers import Read, StoredImage
from chiasm.data.plain_pickle import read_plain_pickle

FEATURES, SHARES, PLACES = "image_features", "spatial_features", "pos_boxes"


def read(place: Path) -> Read:
    """The images in the order of the file. Boxes are the first four of its spatial features, already in [0, 1]."""
    try:
        import h5py
    except ImportError as error:
        raise DataError("reading HDF5 needs a package: pip install 'chiasm[hdf5]'") from error
    index = _index(place)
    with h5py.File(place, "r") as file:
        lacking = [key for key in (FEATURES, SHARES) if key not in file]
        if lacking:
            raise DataError(f"{place} lacks {' and '.join(lacking)}; it holds {', '.join(file)}")
        count = len(file[PLACES] if PLACES in file else file[FEATURES])
        if sorted(index.values()) != list(range(count)):
            raise DataError(f"{place} holds {count} images, its index names {len(index)}: do they belong together?")
        for name, row in sorted(index.items(), key=lambda item: item[1]):
            where: Any = slice(*file[PLACES][row].tolist()) if PLACES in file else row
            shares = np.asarray(file[SHARES][where], dtype=np.float32)[:, :4].clip(0, 1)
            yield StoredImage(str(name), file[FEATURES][where], shares)


def _index(place: Path) -> Mapping[Any, int]:
    """Image id -> row."""
    names = [place.with_name(f"{place.stem}_imgid2idx.pkl"), place.with_name(f"{place.stem}_imgid2idx.json")]
    found = next((name for name in names if name.is_file()), None)
    if found is None:
        raise DataError(f"{names[0].name} is not beside {place}: it says which image is where")
    if found.suffix == ".json":
        import json

        index = json.loads(found.read_text(encoding="utf-8"))
    else:
        index = read_plain_pickle(found)
    if not isinstance(index, Mapping):
        raise DataError(f"{found} holds no dictionary from image id to row")
    return index
