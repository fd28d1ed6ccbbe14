"""What provides pulumi, its plugins, the virtual environment and the Docker Engine. Standard library only."""
