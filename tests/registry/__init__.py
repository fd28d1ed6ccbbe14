"""Tests with registries that they start themselves."""
