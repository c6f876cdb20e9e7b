"""`lmdb`: MMF's database of features, a pickled dictionary for each image (extra `lmdb`); nothing of it is run."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from chiasm.data.example import DataError, RowError
from chiasm.data.importers import Read, stored
from chiasm.data.plain_pickle import plain_values


def read(place: Path) -> Read:
    """The images of a database, in the order of its keys."""
    try:
        import lmdb
    except ImportError as error:
        raise DataError("reading LMDB needs a package: pip install 'chiasm[lmdb]'") from error
    try:
        database = lmdb.open(str(place), readonly=True, lock=False, readahead=False, subdir=place.is_dir())
    except lmdb.Error as error:
        raise DataError(f"{place} is no LMDB database ({error})") from error
    with database, database.begin() as transaction:
        for key, value in transaction.cursor():
            if key == b"keys":  # MMF's list of all keys
                continue
            name = PurePosixPath(key.decode()).name.removesuffix(".npy")
            try:
                yield stored(name, plain_values(bytes(value), where=f"{place}: {name}"), origin=place.name)
            except RowError as error:
                yield error
            except DataError as error:
                yield RowError(str(error), origin=place.name, row_id=name)
