"""What brings alerts to their receivers."""

from components.services.alert_relay.component import AlertRelay, AlertRelayArgs

__all__ = ["AlertRelay", "AlertRelayArgs"]
