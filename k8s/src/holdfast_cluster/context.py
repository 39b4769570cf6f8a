"""A cluster that a user names by kubeconfig and context, as kubectl would find it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from holdfast_cluster.kube import Kube
from holdfast_local.toolchain import ensure_tools


def one_context(kubeconfig: Path | None, context: str, folder: Path, log: Path) -> Kube:
    """Return kubectl with a kubeconfig of the one context alone, so that nothing else is meant.

    Without a kubeconfig, it is the user's; without a context, the current one. The copy is in
    ``folder``; no log has the credentials in it.
    """
    found = shutil.which("kubectl")
    kubectl = Path(found) if found else ensure_tools(("kubectl",))["kubectl"]
    target = folder / "kubeconfig"
    target.touch(mode=0o600)
    where = kubeconfig or Path(os.environ.get("KUBECONFIG") or Path.home() / ".kube" / "config")
    chosen = ("--context", context) if context else ()
    shown = ("config", "view", "--minify", "--flatten", "--raw", "--output", "json")
    target.write_text(Kube(kubectl, where, log).run(*shown, *chosen, secret=True), "utf-8")
    return Kube(kubectl, target, log)
