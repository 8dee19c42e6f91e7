"""Options of the s3 driver as tests give them."""

from types import SimpleNamespace

from glance_mini_store.drivers.s3 import S3Driver

SECRET = "a-very-secret-key"


def settings(**changed):
    """Return the options of a driver, all with their defaults but those of its address."""
    values = {option.dest: option.default for option in S3Driver.options}
    address = {
        "s3_store_host": "https://s3.example.com",
        "s3_store_access_key": "access",
        "s3_store_secret_key": SECRET,
        "s3_store_bucket": "images",
    }
    return SimpleNamespace(**{**values, **address, **changed})
