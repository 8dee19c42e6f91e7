"""Values and state rules of the image service, with nothing but the standard library."""
