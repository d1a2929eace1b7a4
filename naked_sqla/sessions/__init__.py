"""Sessions and factories: the work, what is allowed when, and the methods, on either engine."""
