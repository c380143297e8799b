"""Stages that measure encoders and negatives."""
