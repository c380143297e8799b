"""Report: results as records and tables."""
