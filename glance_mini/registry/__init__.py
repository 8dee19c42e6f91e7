"""The registry service: it answers the data calls of nodes that have no database, over HTTPS with client certificates.

``roles`` decides which node may send which call, ``application`` answers, ``authority`` makes certificates.
"""
