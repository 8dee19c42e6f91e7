"""Image data kept on a node: blocks of images in files, filled while they are read, for all processes of the node."""
