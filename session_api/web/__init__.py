"""What all routes share: how a request is read and an answer is written."""
