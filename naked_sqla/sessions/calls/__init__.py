"""A call of a method, as a value.

The method of a session or factory that was called makes it, once.  Whoever comes after reads it:
the choice of a database, whether a single call needs a transaction, the refusal of writes,
messages.
"""
