"""What Grafana shows: dashboards that follow from what is deployed, as rules do. Nothing is downloaded."""

from config.dashboards.panel import DATASOURCE, Dashboard, Panel, Query
from config.dashboards.render import dashboard_files, dashboards_for

__all__ = ["DATASOURCE", "Dashboard", "Panel", "Query", "dashboard_files", "dashboards_for"]
