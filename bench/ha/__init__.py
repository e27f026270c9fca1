"""Several hosts on one machine: every part twice, each killed in turn while incidents are answered. See `make ha`."""
