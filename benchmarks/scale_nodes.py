"""A cluster of Ray in processes of this machine, whose workers and nodes can be killed."""

from __future__ import annotations

import subprocess
import sys

_CLUSTER = """
import sys, time
from ray.cluster_utils import Cluster
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
nodes = [cluster.add_node(num_cpus=1) for _ in range(int(sys.argv[1]))]
print(cluster.address, flush=True)
for line in sys.stdin:
    if line.strip() == "remove":
        cluster.remove_node(nodes.pop(), allow_graceful=False)
    print("done", flush=True)
"""


class Nodes:
    """A cluster of nodes of one processor each, in processes of this machine; its head does no work."""

    def __init__(self, count: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", _CLUSTER, str(count)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        self.address = self._process.stdout.readline().strip()

    def remove(self) -> None:
        """Kill a node with all that runs on it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("remove\n")
        self._process.stdin.flush()
        self._process.stdout.readline()

    def kill_worker(self) -> int:
        """Kill a worker that is at work; return its process."""
        import psutil

        below = psutil.Process(self._process.pid).children(recursive=True)
        victim = next(each for each in below if "_Worker.work" in " ".join(each.cmdline()))
        victim.kill()
        return int(victim.pid)

    def close(self) -> None:
        """End all nodes."""
        import psutil

        below = psutil.Process(self._process.pid).children(recursive=True)
        self._process.kill()
        for each in below:
            if each.is_running():
                each.kill()
