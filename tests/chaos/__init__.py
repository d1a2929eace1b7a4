"""Tasks that write and read while others cancel, kill and cut; then rows and words are compared."""
