"""The released version, read by the build and shown by /health."""

__version__ = "0.1.0"
