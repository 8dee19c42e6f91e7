"""Values and state rules of the image service; they use only the standard library."""
