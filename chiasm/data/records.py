"""A file that grows by whole records: what a killed process had finished is read again, what it had begun is cut off.

length (8 bytes) | CRC-32 (4 bytes) | content,   again and again
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

HEAD = struct.Struct("<QI")


def append(file: Path, content: bytes) -> None:
    """Add a record. When this returns, the system has it, and the process may be killed."""
    with file.open("ab") as out:
        out.write(HEAD.pack(len(content), zlib.crc32(content)) + content)


def read(file: Path) -> Iterator[bytes]:
    """The whole records of a file, one after the other; none when there is no file. Ends before a damaged one."""
    for start, end in places(file):
        with file.open("rb") as content:
            content.seek(start)
            yield content.read(end - start)


def places(file: Path) -> Iterator[tuple[int, int]]:
    """Where the content of each whole record begins and ends."""
    if not file.exists():
        return
    with file.open("rb") as content:
        position = 0
        while len(head := content.read(HEAD.size)) == HEAD.size:
            length, checksum = HEAD.unpack(head)
            body = content.read(length)
            if len(body) < length or zlib.crc32(body) != checksum:
                return
            position += HEAD.size
            yield position, position + length
            position += length


def cut_off_rest(file: Path) -> None:
    """Remove what follows the last whole record."""
    whole = max((end for _, end in places(file)), default=0)
    if file.exists() and file.stat().st_size > whole:
        with file.open("r+b") as content:
            content.truncate(whole)


def pack(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Named arrays as one record."""
    return save({name: np.ascontiguousarray(array) for name, array in arrays.items()})


def unpack(content: bytes) -> dict[str, NDArray[Any]]:
    """What `pack` was given."""
    return load(content)
