"""Plans of trials, each a capture on a fresh start of the target, to estimates that compare them."""
