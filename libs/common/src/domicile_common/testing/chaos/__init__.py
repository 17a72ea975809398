"""Clients at work, faults, and the proof that nothing was lost: see docs/reliability.md."""
