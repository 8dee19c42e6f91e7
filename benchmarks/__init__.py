"""Measures server CPU per request, memory, growth with the catalogue, and behaviour among many slow clients."""
