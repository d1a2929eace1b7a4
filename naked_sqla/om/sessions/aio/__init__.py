"""The asynchronous face of a session: the same work, in a greenlet of the calling task."""
