"""A whole Countermand against the practice range: what `countermand demo` and `countermand drill` run."""
