"""The public HTTP API of Holdfast.

What it answers with 202 is committed to PostgreSQL before the answer; a dispatcher brings it to
the orchestrator, however long that is away.
"""
