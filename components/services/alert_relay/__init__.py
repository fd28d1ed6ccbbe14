"""What brings alerts to their receivers."""
