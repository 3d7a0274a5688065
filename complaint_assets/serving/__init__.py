"""Answers to questions about numbers, and the HTTP API that gives them."""
