"""Counts the requests for a connection that are refused."""

from chassis.telemetry.metrics import CONNECTION_REFUSALS

# Made here, so that both have the value 0 before the first refusal.
ALL_IN_USE = CONNECTION_REFUSALS.labels("all_in_use")
CANNOT_CONNECT = CONNECTION_REFUSALS.labels("cannot_connect")
