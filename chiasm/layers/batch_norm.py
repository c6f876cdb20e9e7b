"""Batch norm for batches of any size."""

from __future__ import annotations

from torch import Tensor, nn


class BatchNorm(nn.BatchNorm1d):
    """Batch norm over rows; a batch of one row is normed by the running statistics.

    One row has no variance: torch's batch norm refuses it in training, and would end a run at its last small batch.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, D) -> (N, D)."""
        if not self.training or len(x) > 1:
            return super().forward(x)
        return nn.functional.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
