"""How ready an account is before anything happens: what is read of it, what it lacks, and a plan that gives it."""
