"""Numbers to estimates: ratio estimators over blocks, paired blocks, intervals. Pure."""
