"""Simulated systems with books of their own; ``start_sandbox`` starts them, README.md describes them."""

from deployments.sandbox.start import Sandbox, start_sandbox

__all__ = ["Sandbox", "start_sandbox"]
