"""View to bytes. One file per format; each exporter owns its name and suffix. Pure."""
