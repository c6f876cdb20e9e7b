"""Two streams that attend to each other: LXMERT's cross-modality layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from chiasm.layers.attention import Attention
from chiasm.layers.recording import Tap, is_recording, keeps_grad, paused
from chiasm.layers.transformer import AddNorm, FeedForward, SelfAttention


class SharedCrossAttention(nn.Module):
    """Both directions with the same weights, from the same old inputs.

    text' = LN(text + Att(text, regions)),   regions' = LN(regions + Att(regions, text))

    The released LXMERT shares the weights (sheet, section 3), which lets both directions be one product over the
    concatenated streams.
    """

    def __init__(self, hidden_size: int, num_heads: int, *, dropout: float, attention_dropout: float) -> None:
        super().__init__()
        self.attention = Attention(hidden_size, num_heads, dropout=attention_dropout)
        self.add_norm = AddNorm(hidden_size, dropout=dropout)
        self.text_to_regions = Tap()
        self.regions_to_text = Tap()

    def forward(
        self, text: Tensor, regions: Tensor, text_mask: Tensor | None, regions_mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """(B, T, D), (B, R, D), (B, T), (B, R) -> (B, T, D), (B, R, D)."""
        length, both = text.shape[1], torch.cat([text, regions], 1)
        query, key, value = self.attention.project(both)  # (B, H, T+R, D/H)
        (text_q, regions_q), (text_k, regions_k), (text_v, regions_v) = (
            part.split([length, regions.shape[1]], 2) for part in (query, key, value)
        )
        attend = self.attention.attend
        text_context = attend(text_q, regions_k, regions_v, regions_mask, self.text_to_regions)
        regions_context = attend(regions_q, text_k, text_v, text_mask, self.regions_to_text)
        attended = self.attention.output(torch.cat([text_context, regions_context], 1))
        both = self.add_norm(both, attended)
        return both[:, :length], both[:, length:]

    def text(self, text: Tensor, regions: Tensor, regions_mask: Tensor | None) -> Tensor:
        """(B, T, D), (B, R, D), (B, R) -> (B, T, D): the text's direction only."""
        query, key, value = self.attention.project_to(text, regions)
        context = self.attention.attend(query, key, value, regions_mask, self.text_to_regions)
        return self.add_norm(text, self.attention.output(context))


class SeparateCrossAttention(nn.Module):
    """Each direction with weights of its own, as the paper's notation CrossAtt_{L->R}, CrossAtt_{R->L} suggests."""

    def __init__(self, hidden_size: int, num_heads: int, *, dropout: float, attention_dropout: float) -> None:
        super().__init__()
        self.text_attention = Attention(hidden_size, num_heads, dropout=attention_dropout)
        self.text_add_norm = AddNorm(hidden_size, dropout=dropout)
        self.regions_attention = Attention(hidden_size, num_heads, dropout=attention_dropout)
        self.regions_add_norm = AddNorm(hidden_size, dropout=dropout)
        self.text_to_regions = self.text_attention.tap
        self.regions_to_text = self.regions_attention.tap

    def forward(
        self, text: Tensor, regions: Tensor, text_mask: Tensor | None, regions_mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """(B, T, D), (B, R, D), (B, T), (B, R) -> (B, T, D), (B, R, D)."""
        new_regions = self.regions_add_norm(regions, self.regions_attention(regions, text_mask, text))
        return self.text(text, regions, regions_mask), new_regions

    def text(self, text: Tensor, regions: Tensor, regions_mask: Tensor | None) -> Tensor:
        """(B, T, D), (B, R, D), (B, R) -> (B, T, D): the text's direction only."""
        return self.text_add_norm(text, self.text_attention(text, regions_mask, regions))


class CrossModalityLayer(nn.Module):
    """Cross-attention both ways, then self-attention and feed-forward of each stream (LXMERT, section 3.2)."""

    def __init__(
        self,
        cross_attention: SharedCrossAttention | SeparateCrossAttention,
        hidden_size: int,
        num_heads: int,
        intermediate_size: int,
        *,
        dropout: float = 0.1,
        attention_dropout: float = 0.1,
    ) -> None:
        super().__init__()
        drop = {"dropout": dropout, "attention_dropout": attention_dropout}
        self.cross_attention = cross_attention
        self.text_self_attention = SelfAttention(hidden_size, num_heads, **drop)
        self.text_feed_forward = FeedForward(hidden_size, intermediate_size, dropout=dropout)
        self.regions_self_attention = SelfAttention(hidden_size, num_heads, **drop)
        self.regions_feed_forward = FeedForward(hidden_size, intermediate_size, dropout=dropout)

    def forward(
        self, text: Tensor, regions: Tensor, text_mask: Tensor | None, regions_mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """(B, T, D), (B, R, D), (B, T), (B, R) -> (B, T, D), (B, R, D)."""
        text, regions = self.cross_attention(text, regions, text_mask, regions_mask)
        text = self.text_feed_forward(self.text_self_attention(text, text_mask))
        regions = self.regions_feed_forward(self.regions_self_attention(regions, regions_mask))
        return text, regions

    def first(self, text: Tensor, regions: Tensor, text_mask: Tensor | None, regions_mask: Tensor | None) -> Tensor:
        """(B, T, D), (B, R, D), (B, T), (B, R) -> (B, 1, D): what `forward` gives at the text's position 0.

        Nothing else of a last layer reaches the pooled output: not the regions' direction, their self-attention and
        feed-forward, nor the other words' (8 % of LXMERT's operations). Recording as in `TransformerLayer.first`.
        """
        if keeps_grad(self):
            return self(text, regions, text_mask, regions_mask)[0][:, :1]
        if is_recording(self):
            self(text, regions, text_mask, regions_mask)
            with paused(self):
                return self._first(text, regions, text_mask, regions_mask)
        return self._first(text, regions, text_mask, regions_mask)

    def _first(self, text: Tensor, regions: Tensor, text_mask: Tensor | None, regions_mask: Tensor | None) -> Tensor:
        text = self.cross_attention.text(text, regions, regions_mask)
        return self.text_feed_forward(self.text_self_attention.first(text, text_mask))
