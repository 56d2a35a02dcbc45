"""Stands for axolotl in tests."""
