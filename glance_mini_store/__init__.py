"""One interface over many places where image data can live: the storage library of glance_mini.

Start with ``registry.Stores.from_config``; ``driver.Driver`` is what a backend implements,
``testing.DriverContract`` proves it. This package knows nothing of images, HTTP requests or databases, and
imports nothing of ``glance_mini``.
"""
