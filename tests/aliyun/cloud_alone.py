"""The cloud half of the program without the containers: put in place of ``__main__.py`` of a copy.

Without hosts there is no Docker engine to declare anything on.
"""

from __future__ import annotations

import os

from components.aliyun.cloud import Cloud
from config.settings import load

if __name__ == "__main__":
    Cloud("cloud", load(os.environ))
