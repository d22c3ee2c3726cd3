"""Raw samples to a profile: parse, splice, classify frames by language, normalise names, merge. Pure."""

from profiler.stacks.build import build_profile
from profiler.stacks.rules import Rules, default_rules, parse_rules

__all__ = ["Rules", "build_profile", "default_rules", "parse_rules"]
