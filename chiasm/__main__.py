"""`python -m chiasm` is `chiasm`."""

from __future__ import annotations

from chiasm.cli import main

main()
