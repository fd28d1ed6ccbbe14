"""The cloud half, against an emulated Aliyun."""
