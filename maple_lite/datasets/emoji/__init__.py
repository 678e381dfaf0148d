"""The drawn world: emoji by two artists, before many grounds and in twelve looks."""
