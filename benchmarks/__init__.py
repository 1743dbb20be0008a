"""This service beside others, measured in one run and in turns: what counts are the ratios."""
