"""The network's settings: one module a family, found by event name or by kind of setting."""
