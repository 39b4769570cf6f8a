"""The chaos suite on a cluster, or on the stack of one machine."""
