"""INSERT, UPDATE, upsert, DELETE and COPY: by statement, by object and in bulk."""
