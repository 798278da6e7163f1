"""Tools over HTTP: what a bot's file declares under `[tool.NAME]`, as effects of tasks."""
