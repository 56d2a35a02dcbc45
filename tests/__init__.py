"""The tests lie as the package does, with what several of them need in `helpers`."""
