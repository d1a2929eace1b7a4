"""Pages of a statement: by number (``paginate``), and by the key of a row (``keyset``)."""
