"""The rows of images, their lists and who may see them."""
