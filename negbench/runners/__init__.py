"""Runners: execute plans and write results."""
