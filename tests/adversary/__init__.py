"""A model that keeps to the protocol and misbehaves as real models do, and callers who suffer it: `make hell`.

Each scene has a real daemon with a store of its own, a simulated telephone (lab.caller) and a scripted Realtime server.
May import: everything.
"""
