"""Free ports on loopback, below those that stacks and the kernel choose from."""

from __future__ import annotations

import random
from collections.abc import Iterable

from holdfast_local.ports import is_free

_FIRST, _LAST = 15_000, 17_999
_given: set[int] = set()


def free_ports(names: Iterable[str]) -> dict[str, int]:
    """Return a port for each name that is free now and was not given before."""
    ports = {}
    for name in names:
        port = next(
            candidate
            for candidate in random.SystemRandom().sample(range(_FIRST, _LAST), _LAST - _FIRST)
            if candidate not in _given and is_free(candidate)
        )
        _given.add(port)
        ports[name] = port
    return ports
