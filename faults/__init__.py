"""Breaks everything that the service stands on, under load, and judges from its history whether a promise was broken."""
