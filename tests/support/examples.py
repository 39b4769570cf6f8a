"""Inputs that do for a workflow where a test cares for something else."""

from __future__ import annotations

ORDER = {"amount": 5000}
APPROVAL = {"approved": True, "by": "Grace"}
TRIP = {"traveller": "Ada", "flight": "AMS-JFK", "hotel": "Harbour Hotel", "car": "compact"}
