"""A package of the shape of strands-cli: what the wrapper may rely on, and nothing more."""
