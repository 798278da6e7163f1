"""The load generator: many simulated callers and a fake model in one process, so that one clock measures both ends.

May import: lab.load, protocols.
"""
