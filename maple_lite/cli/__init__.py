"""The command line: `maple-lite COMMAND`."""
