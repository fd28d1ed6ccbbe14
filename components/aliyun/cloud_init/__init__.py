"""What cloud-init makes of a Debian 12 instance: a hardened host whose Docker engine lives on the data disk."""

from components.aliyun.cloud_init.render import ADMIN_USER, CloudInitArgs, render_user_data

__all__ = ["ADMIN_USER", "CloudInitArgs", "render_user_data"]
