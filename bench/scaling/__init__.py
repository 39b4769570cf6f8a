"""Measure how Holdfast scales on a cluster, and fit what it costs: `make bench-scaling`."""
