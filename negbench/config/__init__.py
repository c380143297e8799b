"""Config: a YAML grid file becomes a typed grid; every error names file, line and key."""
