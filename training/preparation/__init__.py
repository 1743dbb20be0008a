"""From lines to features: cleaning, summaries, and the checks whether what is left is plausible."""
