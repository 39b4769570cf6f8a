"""A file that says where a Holdfast is: cluster, namespaces, and who comes in."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from holdfast_cluster.errors import ClusterError

#: The ledger's database, as a role that may do what the harness does; it is no matter for a file.
DATABASE_URL = "HOLDFAST_CHAOS_DATABASE_URL"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DatabasePods(_Part):
    """Where the database's pods are, if they are in the cluster and may be struck."""

    namespace: str
    selector: str = "app.kubernetes.io/name=postgresql"
    container: str = "postgresql"


class SiteFile(_Part):
    """What the file says; paths in it begin where it lies."""

    namespace: str
    dapr_namespace: str = "dapr-system"
    #: Of the Helm release, where the namespace has several.
    release: str = ""
    kubeconfig: Path | None = None
    context: str = ""
    #: As ``holdfast secrets --tokens-file`` writes it: the tokens of the admin and of an approver.
    tokens: Path
    #: Of the status API; without it, its Service is forwarded to this machine.
    api: str = ""
    database: DatabasePods | None = None
    #: A namespace in which privileged pods may be made, one for each node, to signal from.
    node_pods: str = ""
    #: What runs in them: it has sh, sleep and nsenter. Without it, the activity worker's image.
    node_image: str = ""


def read_site_file(file: Path) -> SiteFile:
    """Return what a site's file says; raise ``ClusterError`` for what it lacks."""
    try:
        found = SiteFile.model_validate(tomllib.loads(file.read_text("utf-8")))
    except OSError as error:
        raise ClusterError(f"{file}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ClusterError(f"{file} is no TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ClusterError(f"{file}: {place}: {first['msg']}") from error
    here = file.parent
    kubeconfig = None if found.kubeconfig is None else here / found.kubeconfig.expanduser()
    return found.model_copy(
        update={"tokens": here / found.tokens.expanduser(), "kubeconfig": kubeconfig}
    )
