"""The searches written out for one image with lists and dictionaries, to be compared with the batched ones."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from chiasm.data.words import END, PAD, START
from chiasm.heads.decode import State

Scores = Callable[[list[int]], Tensor]  # the words so far -> (V,) scores


def plain_beam(
    scores: Scores, *, size: int, max_words: int, penalty: float = 0.0, allowed: Callable[[list[int]], set[int]]
) -> list[tuple[list[int], float]]:
    """Beam search as in textbooks: candidates in a list, sorted whole; no beam is stopped early."""
    alive: list[tuple[list[int], float]] = [([], 0.0)]
    finished: list[tuple[list[int], float]] = []
    for place in range(max_words):
        candidates = []
        for words, total in alive:
            logs = scores(words).log_softmax(0)
            may = allowed(words)
            candidates += [([*words, w], total + float(logs[w])) for w in range(len(logs)) if w in may]
        candidates.sort(key=lambda candidate: -candidate[1])
        alive = []
        for words, total in candidates[:size]:
            if words[-1] == END or place == max_words - 1:
                finished.append((words, total / len(words) ** penalty))
            else:
                alive.append((words, total))
    finished.sort(key=lambda candidate: -candidate[1])
    return finished[:size]


class Table:
    """A decoder whose scores depend on the image and the last two words, by tables of random numbers."""

    def __init__(self, images: int, words: int, *, seed: int = 0, end: float = 0.0) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.one = 2 * torch.randn(images, words, words, generator=generator)
        self.two = 2 * torch.randn(images, words, words, generator=generator)
        self.one[..., END] += end
        self.asked: list[int] = []  # for how many images, step after step

    def step(self, state: State, words: Tensor) -> tuple[Tensor, State]:
        """As the searches call it; the state carries the word before."""
        images, before = state.memory["images"][:, None], state.beams["before"]
        self.asked.append(len(images))
        scores = self.one[images, words] + self.two[images, before]
        return scores, state.after(before=words)

    def state(self) -> State:
        """The first state."""
        memory = {"images": torch.arange(len(self.one))}
        return State(memory, {"before": torch.full((len(self.one), 1), PAD)})

    def scores(self, image: int) -> Scores:
        """The same numbers for `plain_beam`."""

        def of(words: list[int]) -> Tensor:
            said = [PAD, START, *words]
            return self.one[image, said[-1]] + self.two[image, said[-2]]

        return of
