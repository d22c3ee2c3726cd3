"""The reference server: Rust serves HTTP, Python has the views, and each optimization has a switch.

`python -m hotpaths.server --port 8000 --set logging=off,bodies=copy`. Steps: `options` reads flags and environment,
`processes` forks, `views` builds the contract's views as the switches say, `hotpaths_native.serve` serves them,
with `tasks` for those that have to wait.
"""
