"""Which database a call belongs to, and sessions on several of them."""
