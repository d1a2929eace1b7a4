"""Sessions on several databases, and the choice of the database for a call."""

# The name of the option, and of the entry in a table's info, that names a database.
BIND_KEY = "bind_key"
