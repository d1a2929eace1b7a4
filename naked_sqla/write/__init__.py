"""Rows by object and in bulk: what INSERT, UPDATE, upsert, DELETE and COPY are made of."""
