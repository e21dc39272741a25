"""Ways to start worker processes; each keeps the contract of ``engine.domain.ports.Launcher``.

A handle is text that outlives the engine: the next engine finds, watches and
ends the same processes by it. One file a launcher.
"""
