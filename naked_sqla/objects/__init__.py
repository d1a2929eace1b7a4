"""What a loaded object is: naked classes, their attributes, conversion to and from the ORM."""
