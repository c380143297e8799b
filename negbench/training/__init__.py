"""Training: one loop for every method; batches, collator, and the training of a teacher."""
