"""Sessions and factories: transactions, checks, and the methods, on either engine."""
