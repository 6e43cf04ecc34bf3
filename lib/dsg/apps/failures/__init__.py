"""Why answers fail: every failed answer in a class, counted, listed and drawn."""
