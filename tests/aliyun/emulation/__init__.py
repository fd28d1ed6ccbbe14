"""An emulation of the parts of Aliyun that the program uses."""
