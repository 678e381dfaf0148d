"""How a submission is checked: exercises, facets, causes, verdicts."""
