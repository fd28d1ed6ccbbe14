"""The services, one folder each: the component, its arguments, pure ``render_*`` functions, templates beside them."""
