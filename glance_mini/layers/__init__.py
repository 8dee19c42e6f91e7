"""The seven layers that an operation passes, and the stack that composes them."""
