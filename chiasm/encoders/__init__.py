"""Modality -> (B, T, D)."""
