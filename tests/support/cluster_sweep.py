"""A study that a cluster's executor carries out: ``python cluster_sweep.py FOLDER EXECUTOR``; prints its counts."""

import sys

import trainings

from minidl import study
from minidl.study.clusters import driver

if __name__ == "__main__":
    folder, name = sys.argv[1:]
    with driver(name) as executor:
        if executor is not None:
            made = study.Study(folder, space=trainings.SPACE, trials=2, train=trainings.bowl)
            print(made.run(executor=executor, progress=False), made.digest(), flush=True)
