"""Commands by subject, which ``negbench.cli`` joins."""
