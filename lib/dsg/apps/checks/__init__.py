"""Is a data set usable? All its problems at once, its statistics, and plots of them."""
