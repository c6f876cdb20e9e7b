"""A worker process: reads jobs from standard input, one JSON a line, and answers "done" after each."""

from __future__ import annotations

import json
import sys

from chiasm.synth.production import Job, run_job


def main() -> None:
    """Works until the input ends."""
    for line in sys.stdin:
        run_job(Job(**json.loads(line)))
        sys.stdout.write("done\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
