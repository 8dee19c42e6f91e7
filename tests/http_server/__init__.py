"""The server behind `glance-mini serve`, seen from the other end of a socket."""
