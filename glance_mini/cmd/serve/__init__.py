"""The HTTP server behind `glance-mini serve`: gunicorn's threaded worker as a library.

`server.run` is the way in. Nothing outside this package imports gunicorn, and nothing in here knows the image
service: what is served is any WSGI application.
"""
