"""A soak: load, faults, a journal of what was acknowledged, and what must hold at the end.

ground.py: stores and nodes; faults.py: what befalls them; client.py, model.py and load.py: who asks, and what must be
so by the answers; journal.py: all answers; settling.py: until nothing is due; checks.py, objects.py: the invariants;
figures.py: what is told beside them.
"""
