"""The Gradio endpoints and how they are mounted."""
