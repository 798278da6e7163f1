"""What is kept of the sound of a call: its spool, its tracks, its files, and the store they are uploaded to.

Apart from the spool's writer, all of it runs in a process of its own (`python -m recordings`), beside the daemon.
"""
