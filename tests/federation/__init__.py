"""Two stacks that federate."""
