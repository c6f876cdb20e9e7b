"""A worker process of an extraction: the first line of its input says with what, each further line a part to extract.

It answers a number for each batch that is finished, and "done" after each part; what it cannot do, it says in one line.
When its input ends, whoever gave it work is gone, and it ends at once, whatever it is at.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading

from chiasm.data.example import DataError
from chiasm.data.extraction_part import Part, Work, run_part


def main() -> None:
    """Works until the input ends."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(lines,), daemon=True).start()
    try:
        work = Work(**json.loads(lines.get()))
        extractor = work.make()
        while True:
            part = Part(**json.loads(lines.get()))
            for finished in run_part(part, extractor, dtype=work.dtype):
                _say(str(finished))
            _say("done")
    except (DataError, OSError, RuntimeError, ValueError) as error:
        _say("failed " + " ".join(str(error).split()))


def _listen(lines: queue.SimpleQueue[str]) -> None:
    for line in sys.stdin:
        lines.put(line)
    os._exit(0)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
