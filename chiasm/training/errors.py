"""What can go wrong in a run, each with a message a person can act on."""

from __future__ import annotations


class TrainingError(Exception):
    """A run that cannot start or go on. The message says why and what to do."""


class RecipeError(TrainingError):
    """A recipe that cannot be used: an unknown key, a wrong type, a value that contradicts the data."""


class CheckpointError(TrainingError):
    """A checkpoint that cannot be written, read or continued. The previous one is intact."""


class Interrupted(Exception):
    """The run was asked to stop (Ctrl-C, SIGTERM), finished its step and saved. The message says how to resume."""

    exit_code = 130
