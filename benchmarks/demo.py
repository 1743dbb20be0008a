"""Models of demo data, for measurements."""

from datetime import date
from pathlib import Path

from models.playbook import load_playbooks
from models.registry import Registry
from training.demo import write_demo
from training.fit import Order, fit


def train(models_dir: Path, seed: int = 1) -> str:
    """Publishes a model with six segments, makes it the active one, and gives its version."""
    data = models_dir.parent / f"demo{seed}.parquet"
    write_demo(data, customers=400, seed=seed, start=date(2010, 12, 1), days=374)
    order = Order(sources=[str(data)], models_dir=models_dir, playbooks=load_playbooks(), segments=range(6, 7))
    version = fit(order, lambda said: None).version
    Registry(models_dir).activate(version)
    return version
