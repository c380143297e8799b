"""The world behind version 2 of the generated collection ``helpdesk``: its vocabulary, facets and grammar."""
