"""What one piece of code costs: pytest-benchmark suites over the hot paths, and the plugin that measures pairs.

`pytest microbench` runs the suites with pytest-benchmark; `pytest microbench --paired` measures every before/after pair
with `microbench.paired`, the plugin that any project can use (see docs/microbench.md).
"""
