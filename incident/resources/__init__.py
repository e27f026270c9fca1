"""Settings outside the network: what an actor makes and runs, and what containment and evidence change."""
