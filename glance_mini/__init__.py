"""An image service that speaks the OpenStack Images API v2."""
