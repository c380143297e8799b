"""The plan: a grid's trials as a graph of stages; what exists, what is shared, what is left to run."""
