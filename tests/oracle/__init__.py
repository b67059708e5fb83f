"""The model a second time, written from the contract alone, and the strategies that feed both."""
