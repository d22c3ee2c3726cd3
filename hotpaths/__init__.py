"""The subject that Profiler measures.

`contract` is what every application answers; `apps/` serves it on four frameworks; `server/` serves it on the reference
server, which has a switch per optimization; `catalogue` lists the optimizations as before/after pairs.
Nothing here knows the instrument: it runs in the process under test, beside nothing else.
"""
