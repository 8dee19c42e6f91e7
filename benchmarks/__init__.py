"""What we measure: server CPU per request, memory, growth with the catalogue, behaviour in a crowd of slow clients."""
