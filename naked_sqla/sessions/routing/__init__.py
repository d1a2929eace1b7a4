"""Sessions on several databases, and the choice of the database for a call."""
