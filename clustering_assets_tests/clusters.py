"""A cluster without machines: its worker lives in this process."""

import contextlib
import pickle

from clustering_assets.images.budget import memory
from clustering_assets.work.engine import Lost, portions


class OneWorker:
    """A cluster of one worker, whose work comes to it pickled as it would come to another machine, which stands in `/`.

    Attributes:
        lost: Units that end it, by their names.
        on_shard: Called after each portion.
        sizes: Units in each portion.
    """

    cpus, gpus = 1.0, 0.0

    def __init__(self, lost=(), on_shard=lambda: None):
        self.lost, self.on_shard, self.sizes = lost, on_shard, []

    def run(self, task, units):
        raise AssertionError("only scanning does that")

    def run_in_workers(self, task, units):
        function, begin = pickle.loads(pickle.dumps((task.function, task.begin)))
        with contextlib.chdir("/"):
            begin(memory)
        for portion in portions(task, units, 1):
            self.sizes.append(len(portion))
            kept = [unit for unit in portion if task.name(unit) not in self.lost]
            with contextlib.chdir("/"):
                results = iter(pickle.loads(pickle.dumps(function(pickle.loads(pickle.dumps(kept))))))
            self.on_shard()
            for unit in portion:
                lost = task.name(unit) in self.lost
                yield Lost("crash", "ended two workers of the Ray cluster") if lost else next(results)

    def ask_machines(self, question):
        asked = pickle.loads(pickle.dumps(question))
        with contextlib.chdir("/"):
            return [("here", asked())]

    def connected(self):
        return contextlib.nullcontext()
