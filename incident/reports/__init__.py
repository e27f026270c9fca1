"""What is told of an incident afterwards, and what follows from it: the report in every form, and what it is derived from."""
