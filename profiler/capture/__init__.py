"""The only orchestrator of one run: target + load + samplers → a sealed run directory.

Steps: choose and probe the samplers, start the target, prove that it answers, bring the load to a steady rate, measure
windows with and without each sampler in random order, end everything, build the profiles, seal the run.
"""

from profiler.capture.options import CaptureOptions, Progress
from profiler.capture.record import record

__all__ = ["CaptureOptions", "Progress", "record"]
