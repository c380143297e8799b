"""The world behind version 1 of the generated collection ``helpdesk``: its vocabulary, facets and grammar."""
