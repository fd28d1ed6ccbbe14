"""The host of a stack on Aliyun, and what is around it. Imported only there: the SDK demands its plugin."""
