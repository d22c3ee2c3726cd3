"""Profile or estimate to what a person looks at: call tree, top table, language bar, heaviest path. Pure."""
