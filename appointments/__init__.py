"""The appointment tasks with their tables: an example of a package of tasks, found by its entry points in setup.cfg."""
