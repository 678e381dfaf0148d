"""Datasets of picture files: the papers' fifteen, and your own."""
