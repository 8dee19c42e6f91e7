"""The HTTP server behind `glance-mini serve`: gunicorn's threaded worker as a library.

`server.run` is the entry point. Only this package imports gunicorn. It does not know the image service: it serves any
WSGI application.
"""
