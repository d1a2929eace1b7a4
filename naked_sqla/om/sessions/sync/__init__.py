"""The synchronous face of a session."""
