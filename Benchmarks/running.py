"""Processes of several frameworks that take turns at works, and what comes of it."""

import contextlib
import json
import math
import os
import select
import statistics
import subprocess
import sys
import tempfile
import time

import works

# Processes of each framework, and turns that each process takes at a work.
PROCESSES, TURNS = 3, 3
# Seconds: a turn's samples; the measurement of each peak; how long a peer may take to prepare a work or to sample it.
SAMPLE, PEAK, PATIENCE = 0.2, 0.05, 45
# How far losses and results may differ: float32's sums in another order, a few steps of Adam; bfloat16's rounding.
TOLERANCE = {"f32": 5e-4, "bf16": 2e-2}
# The difference of what is not a number, or not there; JSON has no infinity.
INCOMPARABLE = 1e300
# CPUs that others may keep busy meanwhile before the output says so.
DISTURBANCE = 0.1
# A working set beyond every cache.
MEMORY = 512 << 20


class Failure(Exception):
    """Something to say and to end with."""


class Worker:
    """A process that prepares works and samples them."""

    def __init__(self, name, command, arguments):
        self.log = tempfile.TemporaryFile("w+")
        self.name, self.is_alive = name, True
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, env=environment(arguments.threads),
            start_new_session=True)  # Ctrl-C is for us: we say what there is, and end them
        if cpus := shared_cpus(arguments.threads):
            os.sched_setaffinity(self.process.pid, cpus)
        self.pending = b""

    def greet(self):
        """Waits for its first line, which names its version. All import their frameworks at once before."""
        answer = self.read(PATIENCE)
        self.version = answer.get("version", "")
        if not self.version:
            self.stop()
        return answer

    def ask(self, **request):
        if not self.is_alive:
            return {"error": "its process has ended"}
        try:
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
        except OSError:
            return self.ended()
        return self.read(PATIENCE)

    def read(self, patience):
        end = time.monotonic() + patience
        while b"\n" not in self.pending:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))
            if not ready:
                self.stop()
                return {"error": f"took longer than {patience} s"}
            more = os.read(self.process.stdout.fileno(), 1 << 16)
            if not more:
                return self.ended()
            self.pending += more
        line, _, self.pending = self.pending.partition(b"\n")
        return json.loads(line)

    def forget_peak(self):
        """Measures the peak of its memory anew. Linux."""
        with contextlib.suppress(OSError), open(f"/proc/{self.process.pid}/clear_refs", "w") as file:
            file.write("5")

    def peak(self):
        """Bytes that its memory took at most, or None."""
        try:
            with open(f"/proc/{self.process.pid}/status") as file:
                return next((1024 * int(line.split()[1]) for line in file if line.startswith("VmHWM")), None)
        except OSError:
            return None

    def ended(self):
        self.stop()
        return {"error": f"its process ended: {self.last_words or self.process.returncode}"}

    def stop(self):
        if not self.is_alive:
            return
        self.is_alive = False
        self.process.kill()
        self.process.wait()
        self.log.seek(0)
        self.last_words = self.log.read()[-300:].strip()
        for stream in (self.process.stdin, self.process.stdout, self.log):
            with contextlib.suppress(OSError):
                stream.close()


def environment(threads):
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NPROC")
    return {
        **os.environ, **{name: str(threads) for name in names},
        "PYTHONDONTWRITEBYTECODE": "1", "JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "3",
        "TORCHINDUCTOR_COMPILE_THREADS": "1",  # no pool of compilers beside the timing
    }


def shared_cpus(threads):
    """As many CPUs as threads, for everybody (XLA takes all it may): one of each core first. Linux."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    seen, ranked = {}, []
    for cpu in sorted(os.sched_getaffinity(0)):
        try:
            with open(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list") as file:
                core = file.read()
        except OSError:
            core = cpu
        seen[core] = seen.get(core, 0) + 1
        ranked.append((seen[core], cpu))
    return [cpu for _, cpu in sorted(ranked)[:threads]]


def median_of_lower_half(times):
    """What disturbs a turn only makes it longer."""
    return statistics.median(sorted(times)[:(len(times) + 1) // 2]) if times else None


class Load:
    """How many of the shared CPUs everybody but one process kept busy, while that one was asked."""

    def __init__(self):
        self.seconds = self.busy = 0.0

    @property
    def others(self):
        return max(0, self.busy / self.seconds) if self.seconds else 0

    @contextlib.contextmanager
    def beside(self, process, cpus):
        before = self.clocks(process, cpus)
        yield
        after = self.clocks(process, cpus)
        if before and after:
            self.seconds += after[0] - before[0]
            self.busy += (after[1] - before[1]) - (after[2] - before[2])

    @staticmethod
    def clocks(process, cpus):
        """Seconds: now, of the CPUs together, of the process; None where /proc does not tell."""
        names, busy = {f"cpu{cpu}" for cpu in cpus or []}, 0
        try:
            with open("/proc/stat") as file:
                for name, *ticks in map(str.split, file):
                    if name in names:
                        user, nice, system, _, _, irq, softirq, steal = map(int, ticks[:8])
                        busy += user + nice + system + irq + softirq + steal
            with open(f"/proc/{process.pid}/stat") as file:
                own = sum(map(int, file.read().rpartition(")")[2].split()[11:13]))
        except (OSError, ValueError):
            return None
        tick = os.sysconf("SC_CLK_TCK")
        return time.monotonic(), busy / tick, own / tick


class Result:
    """What is known of one work."""

    def __init__(self, name):
        self.work = works.Work(name)
        self.medians = {}  # of each turn, by framework
        self.peaks = {}  # bytes of memory at most, by framework
        self.checks, self.failures, self.differences, self.left_out = {}, {}, {}, set()
        self.floors, self.load = [], Load()

    def add(self, framework, samples):
        self.medians.setdefault(framework, []).append(statistics.median(samples))

    def add_peak(self, framework, size):
        if size:
            self.peaks[framework] = max(size, self.peaks.get(framework, 0))

    def milliseconds(self, framework):
        return median_of_lower_half(self.medians.get(framework, []))

    def compare_checks(self, framework, checks):
        """Equal work: whoever was first has set the numbers; Cajal is."""
        self.checks.setdefault(framework, checks)
        reference = next(iter(self.checks.values()))
        differences = [0.0]
        for (a, size_a), (b, size_b) in zip(checks, reference):
            difference = abs(a - b) / (max(abs(size_a), abs(size_b)) or 1)
            differences.append(difference if math.isfinite(difference) else INCOMPARABLE)
        if len(checks) != len(reference):
            differences.append(INCOMPARABLE)
        self.differences[framework] = max(self.differences.get(framework, 0), *differences)

    @property
    def tolerance(self):
        return TOLERANCE["bf16" if " bf16 " in self.work.name else "f32"]

    def unequal(self):
        return {name: size for name, size in self.differences.items() if size > self.tolerance}

    def record(self):
        """The line of `--json`; null where there is no number."""
        cajal, pytorch = self.milliseconds("Cajal"), self.milliseconds("PyTorch")
        peers = {name: self.milliseconds(name) for name in self.medians if name != "Cajal"}
        best = min(peers, key=peers.get, default=None)
        floor = median_of_lower_half(self.floors)

        def ratio(a, b):
            return a / b if a and b else None

        rate, unit = self.work.rate(cajal) if cajal else (None, None)
        return {
            "work": self.work.name, "cajal_ms": cajal, "pytorch_ms": pytorch, "ratio": ratio(pytorch, cajal),
            "best_peer": best, "best_peer_ms": peers.get(best), "best_ratio": ratio(peers.get(best), cajal),
            "floor_ms": floor, "floor_share": ratio(floor, cajal), "rate": rate, "unit": unit,
            "peers_ms": peers, "peak_mib": {name: round(size / 2**20) for name, size in self.peaks.items()},
            "differences": self.differences, "is_equal": not self.unequal(),
            "failures": self.failures, "other_cpus": round(self.load.others, 2),
        }


class Run:
    """All works, in several generations of processes."""

    def __init__(self, names, commands, arguments):
        self.commands, self.arguments = commands, arguments
        self.results = [Result(name) for name in names]
        self.versions, self.machine, self.broken = {}, {}, {}
        self.joins = []  # microseconds to set all threads to work and wait for them
        self.workers, self.cpus = [], shared_cpus(arguments.threads)
        self.begun = time.monotonic()

    def go(self):
        processes, turns = (1, 3) if self.arguments.quick else (PROCESSES, TURNS)
        try:
            for generation in range(processes):
                self.start()
                self.machine = self.machine or self.measure(MEMORY, 4 * PEAK)
                for index, result in enumerate(self.results):
                    say_progress(
                        f"process {generation + 1} of {processes}, work {index + 1} of {len(self.results)}: "
                        f"{result.work.name} ({time.monotonic() - self.begun:.0f} s)")
                    self.take_turns(result, turns)
                self.stop()
        finally:
            self.stop()
            say_progress("")

    def start(self):
        for name, command in self.commands.items():
            self.workers.append(Worker(name, command, self.arguments))
        for worker in list(self.workers):
            answer = worker.greet()
            if worker.is_alive:
                self.versions[worker.name] = worker.version
                continue
            reason = answer.get("error") or answer.get("missing")
            if worker.name == "Cajal":
                raise Failure(f"cajal-benchmarks does not start: {reason}")
            self.workers.remove(worker)
            del self.commands[worker.name]
            self.broken[worker.name] = reason

    def stop(self):
        for worker in self.workers:
            worker.stop()
        self.workers = []

    def measure(self, working_set, seconds):
        """What the machine does a second, now: by Cajal, which is the first."""
        rates = self.workers[0].ask(do="peaks", bytes=working_set, seconds=seconds).get("rates", {})
        joins = rates.pop("fork and join", None)
        self.joins += [1e6 / joins] if joins else []
        return rates

    def take_turns(self, result, turns):
        if result.work.kind != "engine":
            with contextlib.suppress(KeyError, ZeroDivisionError):  # no memory for it: no floor
                result.floors.append(result.work.floor(self.measure(result.work.working_set, PEAK)))
        seconds = 0.1 if self.arguments.quick else SAMPLE
        ready = []
        for index, worker in enumerate(self.workers):
            if worker.name in result.left_out:
                continue
            worker.forget_peak()
            answer = worker.ask(do="prepare", work=result.work.name)
            if "checks" in answer:
                result.compare_checks(worker.name, answer["checks"])
                ready.append(worker)
            else:
                self.leave_out(index, worker, result, answer)
        for _ in range(turns):
            for worker in ready:
                with result.load.beside(worker.process, self.cpus):
                    answer = worker.ask(do="sample", seconds=seconds)
                if "ms" in answer:
                    result.add(worker.name, answer["ms"])
                else:
                    self.leave_out(self.workers.index(worker), worker, result, answer)
                    ready = [other for other in ready if other is not worker]
        for worker in ready:
            result.add_peak(worker.name, worker.peak())
            worker.ask(do="release")

    def leave_out(self, index, worker, result, answer):
        """Not asked for this work again; where its process ended, another one takes its place."""
        result.left_out.add(worker.name)
        if "error" in answer:
            result.failures[worker.name] = answer["error"]
        if not worker.is_alive:
            self.workers[index] = Worker(worker.name, self.commands[worker.name], self.arguments)
            self.workers[index].greet()


def say_progress(text):
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K" + text)
    elif text:
        sys.stderr.write(text + "\n")
    sys.stderr.flush()
