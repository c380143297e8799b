"""Searches for new negatives while an encoder trains."""
