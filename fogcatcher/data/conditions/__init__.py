"""What can be asked of a model: typed attributes, and how columns of labels become them."""
