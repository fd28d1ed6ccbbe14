"""The host of a stack on Aliyun, and what is around it."""
