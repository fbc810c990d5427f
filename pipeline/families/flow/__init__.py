"""What families of flow-matching video transformers share: prompts, folders, denoiser, model, cost."""
