"""Where a Python web server with a native core spends its CPU time, in microseconds per request.

The steps of one recording, each a stored artefact: a *target* is started and proven to answer, a *load* generator
drives it in *blocks*, a *sampler* takes *stacks*, everything lands in a sealed *run*, a *profile* is built from it,
and *views* and *exports* show it.
"""

__version__ = "0.1.0"
