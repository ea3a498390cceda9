"""What is left behind, and how much memory a reader takes."""
