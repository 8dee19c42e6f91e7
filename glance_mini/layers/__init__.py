"""The seven layers an operation passes, and the stack that composes them."""
