"""PostgreSQL, Valkey and the processes of Backflush on one machine, without anything to install beside the wheels.

`python -m config.embedded --help` lists the commands. This package is plain Python: it reads no Django settings,
so that it can prepare the servers before Django is imported.
"""
