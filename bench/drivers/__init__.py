"""The client of each contestant, a process of its own: started, asked and ended through pipes.

A driver runs in its contestant's virtual environment, so nothing here imports more than the
standard library and that contestant's own packages.
"""
