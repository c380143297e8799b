"""Papers reproduced: what a claim says, the values that answer it, its verdict, and the page of all verdicts."""
