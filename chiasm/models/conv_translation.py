"""Convolutional sequence to sequence (Gehring et al., ICML 2017), as the fixed-target paper's WMT14 rows use it.

    source words + places -> [convolution, GLU, residual] x N -> keys;  values = keys + embedding
    words so far + places -> [convolution over the past, GLU, attention over the source, residual] x M -> f -> scores

All convolutions and linear layers are weight-normalised but the last one, whose rows are the target vectors.

# Differs: the sizes are those of the public configuration for IWSLT14. The paper's appendix gives none, and its printed
count (36,267,832 trained, of which 8,224,000 = 257 * 32,000 are the last layer) can be split in more than one way
(sheet `fixed_targets`). With 32,000 words and `fix_bias` the difference between trained and fixed targets is exactly
the printed one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chiasm.batch import Batch
from chiasm.heads.decode import State
from chiasm.heads.words import WordOptions, word_targets
from chiasm.layers.dropout import Dropout
from chiasm.layers.masking import masked_softmax
from chiasm.models._words import WritingModel
from chiasm.models.gru_translation import source_of
from chiasm.objectives import Objective

HALF = math.sqrt(0.5)  # keeps the variance of a sum of two
Window = Callable[
    [int, Tensor], Tensor
]  # (layer, what it reads (B, K, D)) -> the last `kernel_size` of it, side by side


@dataclass(frozen=True)
class Config(WordOptions):
    """The public configuration for IWSLT14."""

    num_words: int = 32000
    vocab_size: int = 32000  # source words
    embedding_size: int = 256
    hidden_size: int = 256  # channels
    encoder_layers: int = 4
    decoder_layers: int = 3
    kernel_size: int = 3
    output_size: int = 256  # of f
    max_positions: int = 1024
    dropout: float = 0.2
    max_words: int = 100


class NormedLinear(nn.Module):
    """y = g v / |v| x + b, a direction and a length for each output (Salimans and Kingma 2016)."""

    def __init__(self, in_features: int, out_features: int, *, deviation: float) -> None:
        super().__init__()
        self.direction = nn.Parameter(torch.empty(out_features, in_features).normal_(0, deviation))
        self.length = nn.Parameter(self.direction.detach().norm(dim=1, keepdim=True))
        self.bias = nn.Parameter(torch.zeros(out_features))

    def forward(self, x: Tensor) -> Tensor:
        """(..., F) -> (..., D)."""
        weight = self.direction * (self.length / self.direction.norm(dim=1, keepdim=True))
        return F.linear(x, weight, self.bias)


class ConvTranslation(WritingModel):
    """Two stacks of convolutions with attention from every decoder layer."""

    streams: ClassVar[frozenset[str]] = frozenset({"text"})
    looked_at = "text"
    config: Config

    def __init__(self, config: Config, objectives: Mapping[str, Objective]) -> None:
        super().__init__(config, objectives)
        wide, size, width, keep = config.embedding_size, config.hidden_size, config.kernel_size, 1 - config.dropout
        if width % 2 == 0:
            raise ValueError(f"kernel_size is {width}: the encoder needs an odd one, to look as far to both sides")
        if config.max_words > config.max_positions:
            raise ValueError(
                f"max_words {config.max_words} is more than max_positions {config.max_positions}: a written word has "
                "no vector of its place; lower the one or raise the other"
            )

        def linear(given: int, made: int, gain: float = keep) -> NormedLinear:
            return NormedLinear(given, made, deviation=math.sqrt(gain / given))

        def convolution() -> NormedLinear:
            return linear(width * size, 2 * size, 4 * keep)

        self.source_words, self.source_places = _table(config.vocab_size, wide), _table(config.max_positions, wide)
        self.words, self.places = _table(config.num_words, wide), _table(config.max_positions, wide)
        self.encoder_in, self.encoder_out = linear(wide, size), linear(size, wide)
        self.encoder = nn.ModuleList([convolution() for _ in range(config.encoder_layers)])
        self.decoder_in, self.decoder_out = linear(wide, size), linear(size, config.output_size)
        self.decoder = nn.ModuleList([convolution() for _ in range(config.decoder_layers)])
        self.ask = nn.ModuleList([linear(size, wide) for _ in range(config.decoder_layers)])
        self.answer = nn.ModuleList([linear(wide, size) for _ in range(config.decoder_layers)])
        self.targets = word_targets(config, config.output_size, self.words)
        self.dropout = Dropout(config.dropout)

    def start(self, batch: Batch) -> State:
        """Text (B, S) -> memory "keys", "values" (B, S, E); beams: what each layer saw last, and how many words."""
        text = source_of(batch)
        self._check_places(text.input_ids, "a sentence to translate", "[text] max_length")
        mask = text.attention_mask[..., None]
        embedded = self.dropout(self.source_words(text.input_ids) + self.source_places(_steps(text.input_ids)))
        side = self.config.kernel_size // 2
        x = self.encoder_in(embedded)
        for layer in self.encoder:
            windows = _windows(F.pad(self.dropout(x * mask), (0, 0, side, side)), self.config.kernel_size)
            x = (F.glu(layer(windows)) + x) * HALF
        # Every decoder layer sends a gradient here; together they should weigh as much as one (Gehring, section 3.5).
        keys = _scaled_gradient(self.encoder_out(x), 1 / (2 * len(self.decoder)))
        memory = {"keys": keys, "values": (keys + embedded) * HALF, "mask": text.attention_mask}
        past = keys.new_zeros(len(keys), 1, self.config.kernel_size - 1, self.config.hidden_size)
        beams = {f"past{n}": past for n in range(len(self.decoder))}
        return State(memory, {**beams, "said": text.input_ids.new_zeros(len(keys), 1)})

    def embed(self, words: Tensor) -> Tensor:
        """(B, K) -> (B, K, E), without places."""
        return self.words(words)

    def features(self, state: State, embedded: Tensor) -> tuple[Tensor, Tensor, State]:
        """(B, K, E) -> f (B, K, D), attention (B, K, S) averaged over layers, state."""
        beams = dict(state.beams)
        embedded = self.dropout(embedded + self.places(beams["said"]))

        def window(number: int, x: Tensor) -> Tensor:
            seen = torch.cat([beams[f"past{number}"], x[:, :, None]], 2)  # (B, K, width, D)
            beams[f"past{number}"] = seen[:, :, 1:]
            return seen.flatten(2)

        feature, weights = self._decode(embedded, state.memory, window)
        beams["said"] = beams["said"] + 1
        return feature, weights, state.after(**beams)

    def follow(self, state: State, words: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T) -> (B, T, D), (B, T, S): all places at once."""
        self._check_places(words, "a translation", "[task] max_words")
        embedded = self.dropout(self.words(words) + self.places(_steps(words)))
        width = self.config.kernel_size

        def window(_: int, x: Tensor) -> Tensor:
            return _windows(F.pad(x, (0, 0, width - 1, 0)), width)

        return self._decode(embedded, state.memory, window)

    def get_input_embeddings(self) -> nn.Module:
        """The table of source words, where gradients of the text are taken."""
        return self.source_words

    def _check_places(self, words: Tensor, what: str, option: str) -> None:
        """Raise ValueError for sentences (B, T) with more words than there are places."""
        places = self.config.max_positions
        if words.shape[1] > places:
            raise ValueError(
                f"{what} of {words.shape[1]} words is longer than the model's {places} places; "
                f"lower {option}, or train with a larger [options] max_positions"
            )

    def _decode(self, embedded: Tensor, memory: Mapping[str, Tensor], window: Window) -> tuple[Tensor, Tensor]:
        """(B, K, E) -> f (B, K, D), attention (B, K, S)."""
        real = memory["mask"][:, None]
        # A mean over n has 1/n of the variance; Gehring et al. multiply with n * sqrt(1/n).
        spread = real.sum(-1, keepdim=True).to(embedded).sqrt()
        x, looks = self.decoder_in(embedded), []
        for number, (layer, ask, answer) in enumerate(zip(self.decoder, self.ask, self.answer, strict=True)):
            y = F.glu(layer(window(number, self.dropout(x))))
            question = (ask(y) + embedded) * HALF
            weights = masked_softmax(question @ memory["keys"].transpose(1, 2), real)
            y = (answer(weights @ memory["values"] * spread) + y) * HALF
            x = (y + x) * HALF
            looks.append(weights)
        return self.dropout(self.decoder_out(x)), torch.stack(looks).mean(0)


Model = ConvTranslation


def _table(size: int, width: int) -> nn.Embedding:
    table = nn.Embedding(size, width)
    nn.init.normal_(table.weight, 0, 0.1)
    return table


def _steps(words: Tensor) -> Tensor:
    """(B, T) -> (B, T): 0, 1, 2, ... in every row."""
    return torch.arange(words.shape[1], device=words.device).expand_as(words)


def _windows(x: Tensor, width: int) -> Tensor:
    """(B, T + width - 1, D) -> (B, T, width * D)."""
    return x.unfold(1, width, 1).transpose(2, 3).flatten(2)


def _scaled_gradient(x: Tensor, scale: float) -> Tensor:
    """The same numbers; their gradient is multiplied by `scale`."""
    return x * scale + (x * (1 - scale)).detach()
