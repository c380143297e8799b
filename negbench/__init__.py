"""negbench: which negatives should a dense retriever train on, and how many of them are false?"""

__version__ = "0.1.0"
