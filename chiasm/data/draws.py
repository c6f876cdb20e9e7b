"""Random numbers as a function of what they are drawn for: no state to keep, to save or to share.

    u = hash(seed, purpose, counter, counter, ...) / 2^64

The same example in the same epoch gets the same draws whatever the batch, the process, the thread or the resume in
between. The hash is SplitMix64's finaliser (Steele, Lea and Flood 2014), once for each counter.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import ArrayLike, NDArray

_STEP = np.uint64(0x9E3779B97F4A7C15)  # SplitMix64's increment, 2^64 over the golden ratio
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def uniform(purpose: str, *counters: ArrayLike) -> NDArray[np.float64]:
    """Counters, whole numbers that are broadcast against each other -> as many numbers in [0, 1).

    `purpose` keeps different draws for the same counters apart.
    """
    start = int.from_bytes(hashlib.blake2b(purpose.encode(), digest_size=8).digest(), "little")
    state = np.full((1,) * max((np.ndim(c) for c in counters), default=0), start, dtype=np.uint64)
    with np.errstate(over="ignore"):  # arithmetic modulo 2^64 is the point
        for counter in counters:
            state = _mixed((state ^ np.asarray(counter).astype(np.uint64)) + _STEP)
    return (state >> np.uint64(11)).astype(np.float64) * 2.0**-53


def below(limit: ArrayLike, purpose: str, *counters: ArrayLike) -> NDArray[np.int64]:
    """Whole numbers from 0 to `limit` - 1, each as likely; `limit` is broadcast too."""
    return (uniform(purpose, *counters) * np.asarray(limit)).astype(np.int64)


def _mixed(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    z = (z ^ (z >> np.uint64(30))) * _FIRST
    z = (z ^ (z >> np.uint64(27))) * _SECOND
    return z ^ (z >> np.uint64(31))
