"""Runners: carry out a plan."""
