"""Tell subscribed webhooks what becomes of runs: CloudEvents, signed, at least once.

The database notes each transition in the transaction that changes the run index (migration 0004),
one row for a run and a transition, and one delivery for each subscriber. A courier in every
serving process makes the deliveries.
"""
