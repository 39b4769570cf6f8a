"""A mirror of the official registries on loopback, with images of our own under official names."""
