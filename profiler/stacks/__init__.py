"""Raw samples to a profile: parse, splice, classify frames by language, normalise names, merge. Pure."""
