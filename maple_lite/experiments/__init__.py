"""The papers' tasks: one run, the whole grid, its tables, and the published numbers."""
