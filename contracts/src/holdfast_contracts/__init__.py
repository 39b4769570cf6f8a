"""What the services agree on: names, typed inputs and outputs. No I/O and no Dapr in here.

A name is written once, in the module of its pattern, and imported everywhere else.
"""
