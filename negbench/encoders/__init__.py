"""Encoders: find weights by digest, load and alter them, encode texts at an explicit precision."""
