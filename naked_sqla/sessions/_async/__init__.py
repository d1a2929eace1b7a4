"""The asynchronous face of a session."""
