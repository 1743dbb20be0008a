"""Whether this process is on its way out, which load balancers are told before anything else ends."""

from dataclasses import dataclass


@dataclass(slots=True)
class Readiness:
    """`stopping` is set once, by a stop signal: from then on /health/ready says so, while requests go on for a time."""

    stopping: bool = False

    def stop(self) -> None:
        """To be called at a stop signal; again does nothing."""
        self.stopping = True
