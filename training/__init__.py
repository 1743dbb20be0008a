"""Offline: transactions become features, a fitted pipeline, evidence and a published artifact."""
