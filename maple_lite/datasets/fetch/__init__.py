"""Fetching the papers' datasets: which are there, what the others lack, and downloading it."""
