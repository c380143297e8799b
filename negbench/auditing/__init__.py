"""Audits: ask people which mined negatives are in fact relevant, and estimate the false-negative rate from it."""
