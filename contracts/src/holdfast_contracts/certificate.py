"""The resume certificate as those agree on it who write, store and read one."""

from __future__ import annotations

from typing import Literal

Schema = Literal["holdfast.resume-certificate"]
Version = Literal[1]
Verdict = Literal["pass", "fail"]

SCHEMA: Schema = "holdfast.resume-certificate"
VERSION: Version = 1
PASS: Verdict = "pass"  # noqa: S105 - a verdict
FAIL: Verdict = "fail"
