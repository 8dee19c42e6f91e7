"""Streams of events to clients that follow changes (api-events).

One thread of a process reads the log of events and writes to all of its listeners; no listener holds a thread.
"""
