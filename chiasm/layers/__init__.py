"""Bricks without an opinion about modality."""
