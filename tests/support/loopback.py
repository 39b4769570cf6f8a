"""What all HTTP clients of the tests have in common: they speak to this host, without TLS."""

from __future__ import annotations

import ssl

#: A client that is not given a context reads the host's certificates: 30 ms of CPU for each.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
