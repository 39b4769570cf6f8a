"""The nodes' image, where no registry has one: kind's own files, our programs, all images inside.

Every image that the cluster runs is in it, so that nothing has to be copied to each node later.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from holdfast_cluster.catalogue import CNI_PROGRAMS, CONTAINERD_PROGRAMS, NODE_BASE
from holdfast_cluster.debian import INPUTS
from holdfast_cluster.engine import Engine
from holdfast_cluster.errors import CommandError
from holdfast_cluster.pruning import FILLING
from holdfast_cluster.recipes import Recipe, ensure_image
from holdfast_local.build_view import BuildView

_DOCKERFILE = """\
FROM {base}
COPY files/ /
COPY usr-bin/ /usr/bin/
COPY usr-local-bin/ /usr/local/bin/
COPY cni/ /opt/cni/bin/
COPY storage.yaml /kind/manifests/default-storage.yaml
RUN chmod 755 /usr/local/bin/entrypoint /kind /kind/bin /kind/bin/* \\
 && ln -sf /usr/sbin/runc /usr/local/sbin/runc \\
 && rm -f /lib/systemd/system/multi-user.target.wants/* /etc/systemd/system/*.wants/* \\
      /lib/systemd/system/local-fs.target.wants/* \\
      /lib/systemd/system/sockets.target.wants/*udev* \\
      /lib/systemd/system/sockets.target.wants/*initctl* \\
      /lib/systemd/system/basic.target.wants/* \\
      /lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service \\
 && echo ReadKMsg=no >> /etc/systemd/journald.conf \\
 && systemctl enable kubelet.service containerd.service undo-mount-hacks.service \\
 && systemctl mask systemd-binfmt.service \\
 && mkdir -p /etc/kubernetes/manifests /etc/cni/net.d \\
 && ctr oci spec \\
      | jq '.hooks.createContainer[0] = {{"path": "/kind/bin/mount-product-files.sh"}}' \\
      | jq 'del(.process.rlimits)' > /etc/containerd/cri-base.json \\
 && sed -i 's#sandbox_image = .*#sandbox_image = "{pause}"#' /etc/containerd/config.toml \\
 && {without_sys_resource} \\
 && echo {version} > /kind/version
ENV container=docker
STOPSIGNAL SIGRTMIN+3
ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]
"""
#: Nothing may lower its OOM score without CAP_SYS_RESOURCE, and neither can its containers.
_RESTRICT_OOM = (
    "sed -i 's/restrict_oom_score_adj = false/restrict_oom_score_adj = true/' "
    "/etc/containerd/config.toml "
    "&& sed -i '/^OOMScoreAdjust/d' /etc/systemd/system/containerd.service"
)
_CHANGES = (
    'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]',
    "CMD []",
)


@dataclass(frozen=True)
class NodeParts:
    """What a node's image is made of."""

    version: str
    kind_module: Path
    programs: dict[str, Path]
    storage: Path
    pause: str
    sys_resource: bool

    def recipe(self) -> Recipe:
        """Return the recipe of the image without the cluster's images."""
        base = self.kind_module / "images" / "base" / "files"
        files = {
            f"files/{path.relative_to(base)}": path
            for path in sorted(base.rglob("*"))
            if path.is_file() and path.name not in {"clean-install", "README.txt"}
        }
        for name in ("kubeadm", "kubelet", "kubectl"):
            files[f"usr-bin/{name}"] = self.programs[name]
        for name in CONTAINERD_PROGRAMS:
            files[f"usr-local-bin/{name}"] = self.programs[name]
        for name in CNI_PROGRAMS:
            files[f"cni/{name}"] = self.programs[name]
        files["storage.yaml"] = self.storage
        dockerfile = _DOCKERFILE.format(
            base=NODE_BASE.reference,
            pause=self.pause,
            version=f"v{self.version}",
            without_sys_resource="true" if self.sys_resource else _RESTRICT_OOM,
        )
        return Recipe(f"holdfast/node-bare:v{self.version}", dockerfile, files)


def ensure_node_image(
    parts: NodeParts,
    images: Sequence[str],
    contents: Sequence[str],
    engine: Engine,
    view: BuildView,
) -> str:
    """Return the name of the nodes' image with the named images in it.

    ``contents`` are the checksums of these images' inputs.
    """
    recipe = parts.recipe()
    facts = (recipe.inputs, *images, *contents)
    inputs = hashlib.sha256("\0".join(facts).encode()).hexdigest()[:12]
    reference = f"holdfast/node:v{parts.version}-{inputs}"
    if engine.image_label(reference, INPUTS) == inputs:
        return reference
    bare = ensure_image(recipe, engine, view)
    with view:
        _fill(bare, reference, inputs, images, engine, view)
        size = engine.image_bytes(reference) / 10**6
        view.end(f"{reference} made with {len(images)} images in it, {size:.0f} MB")
    return reference


def _fill(
    bare: str,
    reference: str,
    inputs: str,
    images: Sequence[str],
    engine: Engine,
    view: BuildView,
) -> None:
    """Run containerd in a container of the bare image, import into it, and keep the result."""
    name = f"{FILLING}{os.getpid()}"
    engine.docker(
        *("run", "--detach", "--privileged", "--network", "none", "--name", name),
        *("--entrypoint", "/usr/local/bin/containerd", bare),
    )
    try:
        _wait_for_containerd(engine, name)
        ctr = ("exec", "-i", name, "ctr", "--namespace", "k8s.io", "images", "import")
        engine.runner.watch(
            (engine.client, "save", *images),
            view,
            "Images: copying into the nodes' image",
            # Each node unpacks the ones that it runs, when it first runs them.
            pipe=(engine.client, *ctr, "--all-platforms", "--no-unpack", "-"),
        )
        view.begin("Nodes' image: writing", "")
        engine.docker("stop", name)
        changes = [*_CHANGES, f"LABEL {INPUTS}={inputs}"]
        options = [part for change in changes for part in ("--change", change)]
        engine.docker("commit", *options, name, reference, seconds=900)
    finally:
        with suppress(CommandError):
            engine.docker("rm", "--force", "--volumes", name)


@retry(
    retry=retry_if_exception_type(CommandError),
    stop=stop_after_delay(60),
    wait=wait_fixed(0.5),
    reraise=True,
)
def _wait_for_containerd(engine: Engine, name: str) -> None:
    engine.docker("exec", name, "ctr", "version", seconds=10)
