"""Stages that train an encoder, with their targets and detectors."""
