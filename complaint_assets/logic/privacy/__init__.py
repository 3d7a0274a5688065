"""What hides people in texts, how long data is kept, and whom to forget."""
