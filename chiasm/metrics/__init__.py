"""The official numbers, each with an interval; no Java."""
