"""An emulation of the parts of the Aliyun API that this project's stack calls: ECS, VPC, EIP and DNS.

``README.md`` says how to use it by itself; :class:`~tests.aliyun.emulation.emulation.Emulation` is it as a class.
"""
