"""Nginx."""

from components.services.nginx.component import PLAIN_URL as NGINX_URL
from components.services.nginx.component import USER as NGINX_USER
from components.services.nginx.component import Nginx, NginxArgs

__all__ = ["NGINX_URL", "NGINX_USER", "Nginx", "NginxArgs"]
