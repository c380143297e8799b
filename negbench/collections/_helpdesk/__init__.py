"""The world behind the generated collection ``helpdesk``: its vocabulary, facets, grammar and withheld labels."""
