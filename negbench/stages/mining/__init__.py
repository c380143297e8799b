"""Stages from a collection to negatives."""
