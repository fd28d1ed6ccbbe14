"""Tests; tests/README.md says what each tier is."""
