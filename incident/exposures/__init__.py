"""What the internet reaches, by which path, and what of it an incident opened."""
