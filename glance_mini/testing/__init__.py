"""What a package that brings a layer uses in its own tests, and ours too: the contract of layers, doubles, samples."""
