"""Fused states -> scores."""
