"""Breaks everything that the service stands on, under load, and judges from the history if it kept its promises."""
