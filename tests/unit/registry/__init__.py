"""The registry service: who may send what, how calls are answered, and how certificates are made."""
