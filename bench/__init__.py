"""Measures the service against what it could cost at least, in interleaved rounds: `python -m bench`."""
