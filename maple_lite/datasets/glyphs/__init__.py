"""The drawn datasets: Unicode symbols in eleven styles, and handwritten digits."""
