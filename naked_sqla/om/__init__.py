"""The object mapper: statement -> compiled -> plan -> hydrator -> Result."""
