"""The report's pictures, as SVG text that loads and runs nothing."""
