"""The zoo: a model for each thing that SQLAlchemy lets a model be, and rows for all of them."""
