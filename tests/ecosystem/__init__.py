"""The libraries of docs/chassis/explanation/libraries.md, each in a service with the code of that page."""
