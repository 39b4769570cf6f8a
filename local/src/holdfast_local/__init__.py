"""Holdfast on one machine: the real engine, the real database and the services as processes."""
