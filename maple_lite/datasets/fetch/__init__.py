"""Fetching the papers' datasets: what is there, what is missing, bringing it."""
