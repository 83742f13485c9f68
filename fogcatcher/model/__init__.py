"""A trained model: what lies on disk and what people hold."""
