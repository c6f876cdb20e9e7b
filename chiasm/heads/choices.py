"""Joined states -> scores: of the answers of a vocabulary, or of the few options that an example offers."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from chiasm.heads.classify import AnswerHead
from chiasm.layers.linear import Linear


class AnswerOrChoiceHeads(nn.Module):
    """One head for each question that is asked of the joined states, by name.

    Without choices each example has one joined state, and a head scores the answers of a vocabulary. With them it has
    `num_choices` states for each head, in the order of the heads, and a head scores each state by one number; the
    last head takes all that are left, since rationales may be offered for every answer.

    `hidden_size` 0 is a linear layer; else W_2 LN(gelu(W_1 x)). A *linear* head adds what it reads of the image to
    what it reads of the text, so of the choices' softmax the image cancels: it cannot matter.
    """

    def __init__(
        self, names: Sequence[str], input_size: int, *, hidden_size: int, num_labels: int, num_choices: int
    ) -> None:
        super().__init__()
        self.num_choices = num_choices
        size = 1 if num_choices else num_labels
        self.heads = nn.ModuleDict({name: _head(input_size, hidden_size, size) for name in names})

    def forward(self, joined: Tensor) -> dict[str, Tensor]:
        """(B, K, D) -> head -> (B, A), or (B, K_head) scores of choices. Raises ValueError for another number."""
        if not self.num_choices:
            if joined.shape[1] != 1:
                raise ValueError(f"{joined.shape[1]} texts an example for a model of one; set options.num_choices")
            return {name: head(joined[:, 0]) for name, head in self.heads.items()}
        size, given = self.num_choices, joined.shape[1]
        before_last = size * (len(self.heads) - 1)
        if given < before_last + size or (given - before_last) % size:
            raise ValueError(
                f"{given} texts an example for {len(self.heads)} heads ({', '.join(self.heads)}) of {size} choices: "
                "[task] and [choices] disagree about what is asked"
            )
        scores = {}
        for place, (name, head) in enumerate(self.heads.items()):
            first = place * size
            last = given if place == len(self.heads) - 1 else first + size
            scores[name] = head(joined[:, first:last]).squeeze(-1)
        return scores


def _head(input_size: int, hidden_size: int, output_size: int) -> nn.Module:
    return AnswerHead(input_size, hidden_size, output_size) if hidden_size else Linear(input_size, output_size)
