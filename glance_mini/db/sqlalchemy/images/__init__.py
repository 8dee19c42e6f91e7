"""The rows of images, their lists and their visibility."""
