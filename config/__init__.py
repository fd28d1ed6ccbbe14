"""Plain data about the stack: what is asked for, what fits, which images. No Pulumi resource is declared here."""
