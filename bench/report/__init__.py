"""What is written of a run, in an environment of its own: intervals, charts, a page, a file."""
