"""The model a second time, written from docs/design.md alone, and the strategies for the inputs of both."""
