"""Utterances -> vectors: their features as they are, the words' convolutions beside them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from chiasm.batch import Batch, Dialogue
from chiasm.encoders.text_cnn import TextCnn


@dataclass(frozen=True)
class UtteranceOptions:
    """What the configurations of all conversation models hold: what an utterance is read as."""

    feature_size: int = 712  # of an utterance, all modalities side by side
    vocab_size: int = 0  # word pieces; 0: no words are read
    text_size: int = 100  # of an utterance's vector, when words are read
    word_size: int = 300  # of a word's vector
    text_dropout: float = 0.5  # share dropped inside the words' encoder


class UtteranceFeatures(nn.Module):
    """u = [TextCnn(words); features], each part only where the data has it.

    What leaves this module is what the paper calls the extracted multimodal features: adversarial training perturbs
    its output. Each distinct utterance of a batch is encoded once.
    """

    def __init__(self, feature_size: int, *, text: TextCnn | None = None, text_size: int = 0) -> None:
        super().__init__()
        if feature_size == 0 and text is None:
            raise ValueError("utterances need features or words: name [dialogue] modalities, or a vocabulary")
        self.text = text
        self.output_size = feature_size + (text_size if text is not None else 0)

    def forward(self, dialogue: Dialogue) -> Tensor:
        """Dialogue (B, U) -> (B, U, F), zero at padded slots."""
        parts = [] if dialogue.features is None else [dialogue.features]
        if self.text is not None:
            if dialogue.texts is None or dialogue.texts.index is None:
                raise ValueError("this model reads words, but the dialogues hold none; give [dialogue] a vocabulary")
            parts = [self.text(dialogue.texts)[dialogue.texts.index], *parts]
        return torch.cat(parts, -1) * dialogue.attention_mask[..., None]


def utterance_features(options: UtteranceOptions) -> UtteranceFeatures:
    """What a conversation model reads: features, words (when there is a vocabulary), or both."""
    if not options.vocab_size:
        return UtteranceFeatures(options.feature_size)
    text = TextCnn(options.vocab_size, options.text_size, word_size=options.word_size, dropout=options.text_dropout)
    return UtteranceFeatures(options.feature_size, text=text, text_size=options.text_size)


def at_query(x: Tensor, query: Tensor) -> Tensor:
    """(B, U, F), (B,) -> (B, F): what stands in the slot asked about."""
    return x[torch.arange(len(x), device=x.device), query]


def around_query(dialogue: Dialogue) -> Tensor:
    """Dialogue (B, U) -> (B, U) bool: the real slots but the one asked about."""
    slots = torch.arange(dialogue.attention_mask.shape[1], device=dialogue.query.device)
    return dialogue.attention_mask & (slots != dialogue.query[:, None])


def the_dialogue(batch: Batch) -> Dialogue:
    """The batch's dialogues. Raises ValueError when it has none."""
    if batch.dialogue is None:
        raise ValueError("a conversation model needs a dialogue stream; add a [dialogue] section to the recipe")
    return batch.dialogue
