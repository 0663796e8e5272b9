"""Many proofs on many processes or machines: what `ciro_zk.prove_many` hands its jobs to.

An *engine* (`engine.Engine`) opens *workers* on a key; they take jobs and give answers, in any order. The key travels once to each worker,
by its path or its bytes; jobs and answers are bytes too (`job`). Nothing that travels is pickled by us or trusted to be a Python object.

    serial.py    in this process: for tests, debugging, and a machine with one core
    local.py     processes of this machine, watched: one that dies is replaced, and its job proven again
    cluster.py   a Ray cluster (`pip install 'ciro-zk[ray]'`)

Proofs are deterministic, so their bytes do not depend on the engine, nor on how often a job was begun.
"""
