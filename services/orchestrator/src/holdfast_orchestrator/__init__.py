"""The orchestrator: all workflows, and an internal API to start and manage runs of them.

Workflow code is deterministic. It does no I/O and reads no clock, random number or environment;
every effect is an activity of the activity-worker and has a key that the workflow made.
"""
