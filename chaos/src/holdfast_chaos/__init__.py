"""Break a running Holdfast on purpose, and prove from independent facts that nothing was lost.

Faults strike through a target (processes on one machine, pods in a cluster). What happened is
read afterwards from three witnesses: the ledger in the database, the engine's histories, and
what a client saw. Pure functions compare the three with a model of the workload; the result is
a resume certificate.
"""
