"""A soak: load, faults, a journal of what was acknowledged, and what must hold at the end.

- run.py: from the start to the report. ground.py: stores and nodes. faults.py: what befalls them, and when.
- client.py, load.py, writes.py, reads.py: who asks. model.py: what an asset must be by the answers. journal.py: all of
  them.
- settling.py: until nothing is due. checks.py, objects.py: the invariants. figures.py: what is told beside them.
"""
