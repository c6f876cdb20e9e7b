"""The version, alone in a file so that the build and `chiasm --version` read it without importing torch."""

__version__ = "0.1.0"
