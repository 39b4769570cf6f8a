"""Send one message: to an address that was checked, within a time, and to nowhere else."""

from __future__ import annotations

import asyncio
import ssl
import time
from dataclasses import dataclass

import httpx

from holdfast_status_api.webhooks.addresses import (
    AddressRules,
    IPAddress,
    RefusedAddressError,
    Target,
)
from holdfast_status_api.webhooks.messages import Message, body_of
from holdfast_status_api.webhooks.signature import HEADER, signature

_CONNECT_SECONDS = 3.0


@dataclass(frozen=True)
class Sender:
    """Sends signed CloudEvents. Holds no connection: a receiver sees one for each message."""

    source: str
    rules: AddressRules
    #: For the whole of an attempt, however slowly the receiver answers.
    seconds: float
    tls: ssl.SSLContext

    def send(self, message: Message) -> str | None:
        """Deliver a message; return ``None`` when the receiver took it, else what went wrong."""
        try:
            target = Target.parse(message.url)
            addresses = target.resolve(self.rules)
            status = asyncio.run(self._post(target, addresses, message))
        except RefusedAddressError as error:
            return f"refused: {error}"
        except TimeoutError:
            return f"no answer within {self.seconds:g} s"
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return f"{type(error).__name__}: {error}"
        if httpx.codes.is_success(status):
            return None
        if httpx.codes.is_redirect(status):
            return f"the receiver answered {status}; redirects are not followed"
        return f"the receiver answered {status}"

    async def _post(self, target: Target, addresses: list[IPAddress], message: Message) -> int:
        async with asyncio.timeout(self.seconds):
            unreachable: httpx.TransportError | None = None
            for address in addresses:
                try:
                    return await self._post_to(target, address, message)
                except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                    unreachable = error
        raise unreachable or OSError(f"{target.host} has no address")

    async def _post_to(self, target: Target, address: IPAddress, message: Message) -> int:
        body, headers = body_of(message, self.source)
        named = httpx.URL(target.url)
        request = httpx.Request(
            "POST",
            # The connection goes to the address that was checked; the name goes into the header,
            # and with TLS into the handshake, where the certificate has to match it.
            named.copy_with(host=str(address)),
            headers={
                **headers,
                "Host": named.netloc.decode(),
                "User-Agent": "holdfast-webhooks/1",
                HEADER: signature(message.secret, int(time.time()), body),
            },
            content=body,
            extensions={
                "sni_hostname": target.host,
                "timeout": httpx.Timeout(self.seconds, connect=_CONNECT_SECONDS).as_dict(),
            },
        )
        # A transport and no client: no proxy, no redirect, no cookie.
        async with httpx.AsyncHTTPTransport(verify=self.tls, retries=0) as transport:
            answer = await transport.handle_async_request(request)
            # The status is all that counts; a body without end is not read.
            await answer.aclose()
            return answer.status_code
