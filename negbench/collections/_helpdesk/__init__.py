"""The world behind the generated collection ``helpdesk``: its vocabulary, facets and grammar."""
