"""A page to try a model in a browser; needs gradio (requirements-serve.txt)."""
