"""Whether images can be pulled: asked once, quickly, and in the open."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum

import httpx

from holdfast_cluster.errors import ClusterError
from holdfast_cluster.loopback import host_of, is_on_loopback

#: Where the official images of the nodes, of Dapr and of the metrics server are.
OFFICIAL = ("https://registry-1.docker.io", "https://ghcr.io", "https://registry.k8s.io")
_SECONDS = 4.0
_ANSWERS = (httpx.codes.OK, httpx.codes.UNAUTHORIZED)


class Images(StrEnum):
    """Where images come from."""

    AUTO = "auto"
    PULLED = "pulled"
    BUILT = "built"


@dataclass(frozen=True)
class Choice:
    """Whether images are pulled, from which mirror if any, and why."""

    pulled: bool
    mirror: str
    reason: str


def is_registry(url: str, seconds: float = _SECONDS) -> bool:
    """Tell whether an image registry answers there, and not something in between."""
    try:
        answer = httpx.get(f"{url}/v2/", timeout=seconds, follow_redirects=True)
    except httpx.HTTPError:
        return False
    # A proxy that forbids the way answers too, but not like this.
    known = "docker-distribution-api-version" in answer.headers
    challenged = "www-authenticate" in answer.headers
    return answer.status_code in _ANSWERS and (known or challenged)


def choose(wish: Images, mirror: str, urls: Iterable[str] = OFFICIAL) -> Choice:
    """Decide where images come from; a wish that cannot be had is an error with the way out."""
    if wish is Images.BUILT:
        return Choice(pulled=False, mirror="", reason="IMAGES=built")
    places = (_url(mirror),) if mirror else tuple(urls)
    with ThreadPoolExecutor(max_workers=len(places)) as pool:
        reached = list(pool.map(is_registry, places))
    if all(reached):
        said = f"{mirror} answers" if mirror else "the official registries answer"
        return Choice(pulled=True, mirror=mirror, reason=said)
    silent = ", ".join(place for place, here in zip(places, reached, strict=True) if not here)
    if mirror or wish is Images.PULLED:
        raise ClusterError(
            f"No image registry answers at {silent}: name a mirror that does with REGISTRY=…, or "
            f"say IMAGES=built to build every image here."
        )
    return Choice(pulled=False, mirror="", reason=f"no answer from {silent}")


def _url(mirror: str) -> str:
    """Return a mirror's address; on loopback it speaks plain HTTP, as Docker expects there."""
    return f"{'http' if is_on_loopback(mirror) else 'https'}://{host_of(mirror)}"
