"""Measure Holdfast beside what people would pick instead: `make bench`."""
