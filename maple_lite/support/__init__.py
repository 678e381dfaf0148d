"""What every room leans on: checks of input, files, seeds, batches, progress, memory."""
