"""Tests of the cloud half against an emulated Aliyun."""
