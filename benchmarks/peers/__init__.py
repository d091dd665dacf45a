"""What a user could have picked instead, on the same contract, and the two floors: README.md."""
