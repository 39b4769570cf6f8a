"""Holdfast's cluster for development: nodes, storage, Dapr and PostgreSQL, made and unmade."""
