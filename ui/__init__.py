"""The browser's side: one page, its routes and streams, and Gradio's API. Knows the queue's public functions only."""
