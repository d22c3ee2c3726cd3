"""The object that `profiler record --json` prints; its fields are a documented interface (docs/formats.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from profiler.model.run import Capture, RunMetadata

RECORD_SCHEMA = "profiler.record/1"


def record_objects(metadata: RunMetadata, path: Path) -> list[dict[str, Any]]:
    """One object per sampler; a single one, with `sampler` null, where nothing was sampled."""
    captures: tuple[Capture | None, ...] = metadata.captures or (None,)
    return [_record_object(metadata, path, capture) for capture in captures]


def _record_object(metadata: RunMetadata, path: Path, capture: Capture | None) -> dict[str, Any]:
    load = metadata.load
    return {
        "schema": RECORD_SCHEMA,
        "run": str(path),
        "state": metadata.state,
        "target": metadata.target,
        "endpoint": metadata.endpoint,
        "load": None
        if load is None
        else {
            "generator": load.generator,
            "requests": load.requests,
            "seconds": load.seconds,
            "errors": load.errors,
            "latency_ms": load.latency_ms,
            "connections": load.connections,
            "http_version": load.http_version,
            "verdict": load.verdict,
        },
        "rps": metadata.rps,
        "cpu_us_per_request": metadata.cpu if load is not None else None,
        "cpu_seconds_per_second": metadata.cpu if load is None else None,
        "sampler": None
        if capture is None
        else {
            "name": capture.sampler,
            "version": capture.version,
            "hz": capture.hz,
            "clock": capture.clock,
            "samples": capture.samples,
            "lost": capture.lost,
            "quality": capture.quality,
            "distorted": capture.distorted,
            "cpu_seconds": capture.sampler_cpu_s,
        },
        "agreement": capture.agreement if capture is not None else None,
        "languages": capture.languages if capture is not None else None,
        "overhead": capture.overhead if capture is not None else None,
        "warnings": metadata.warnings,
        "untrusted": metadata.untrusted,
    }
