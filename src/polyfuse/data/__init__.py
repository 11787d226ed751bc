"""Pictures to work on: the synthetic street and yard scenes, and later the data sets and their splits."""
