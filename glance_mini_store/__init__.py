"""The storage library of glance_mini: one interface for many backends of image data.

Start with ``stores.Stores.from_config``. A backend implements ``driver.Driver``, and ``testing.DriverContract``
tests it. This package knows nothing of images, HTTP requests or databases, and imports nothing from
``glance_mini``.
"""
