"""EGS Studio: the edges: starts, wires, routes, draws."""
