"""Profile → what a person looks at: picture, call tree, tables, language bar, threads, heaviest path. Pure."""
