"""Evaluation: ranking measures, false negatives, cost. Works on arrays; imports no training."""
