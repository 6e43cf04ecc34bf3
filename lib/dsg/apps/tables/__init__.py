"""The paper's tables of results, from training to Markdown, by one command that can be given again."""
