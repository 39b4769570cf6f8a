"""All the I/O of Holdfast's workflows, behind a ledger that lets each effect happen once.

`activities` holds what the patterns do, one module for each. `ledger` runs the protocol around
it; `work` is the small vocabulary that both are written in.
"""
