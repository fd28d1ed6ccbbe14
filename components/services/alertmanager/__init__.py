"""Alertmanager."""

from components.services.alertmanager.component import Alertmanager, AlertmanagerArgs

__all__ = ["Alertmanager", "AlertmanagerArgs"]
