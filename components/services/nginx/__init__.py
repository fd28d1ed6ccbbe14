"""Nginx."""

from components.services.nginx.component import Nginx, NginxArgs

__all__ = ["Nginx", "NginxArgs"]
