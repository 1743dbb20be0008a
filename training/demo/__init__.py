"""Synthetic transactions that look like a shop's export, of any size: `python -m training demo`."""

from training.demo.demo import DemoRefused, write_demo

__all__ = ["DemoRefused", "write_demo"]
