"""Asking pictures: scenes, their answers, and how those are shown."""
