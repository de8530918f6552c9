"""A peer's process: reads a request a line, answers one line of JSON each.

    {"do": "prepare", "work": NAME}    builds it, warms it up      {"checks": […]}
    {"do": "sample", "seconds": S}     times it                    {"ms": […]}
    {"do": "release"}                  forgets it                  {}

The first line says which version answers, or that the framework is missing.
"""

import contextlib
import gc
import json
import os
import sys
import time

from works import Work

# A work is timed in samples of at least this long: the clock and the wait at the end cost nothing then.
SAMPLE_SECONDS = 0.010
# Seconds after which two samples are enough.
LONG = 1
# Training steps of which the losses are compared: one round of the batches. Adam magnifies roundings from step to step.
CHECKED_STEPS = 8
# Steps set going before one is waited for, as a training loop that shows its loss now and then.
STEPS_A_READ = 10


class Job:
    """A work, ready to run.

    step     sets one step going
    wait     waits for what was set going, and reads the loss if there is one
    checks   numbers that must agree with everybody's, each with what a difference is measured by
    units    how often one step does the work
    around   gives the context that steps run in
    """

    def __init__(self, step, wait, checks, units=1, around=contextlib.nullcontext):
        self.step, self.wait, self.checks, self.units, self.around = step, wait, checks, units, around
        self.steps = self.bursts = 1

    def burst(self, count):
        with self.around():
            for _ in range(count):
                self.step()
            self.wait()

    def warm(self, seconds=0.3):
        """Runs for a while, and finds how many steps make a sample."""
        self.burst(1)
        start = time.perf_counter()
        self.burst(1)
        one = time.perf_counter() - start
        # Long steps are waited for one by one.
        self.steps = max(1, min(STEPS_A_READ, round(10 * SAMPLE_SECONDS / one)))
        end, times = start + seconds, [one] if one > LONG else []
        while time.perf_counter() < end or len(times) < (1 if one > LONG else 2):
            start = time.perf_counter()
            self.burst(self.steps)
            times.append(time.perf_counter() - start)
        self.bursts = max(1, int(SAMPLE_SECONDS / min(times)) + 1) if min(times) < SAMPLE_SECONDS else 1

    def sample(self, seconds):
        """Milliseconds a unit, one number a sample; the first, which wakes threads and fills caches, is left out."""
        samples, end, enough = [], time.perf_counter() + seconds, time.perf_counter() + LONG
        while len(samples) < 2 or len(samples) < 4 and time.perf_counter() < enough or time.perf_counter() < end:
            start = time.perf_counter()
            for _ in range(self.bursts):
                self.burst(self.steps)
            samples.append((time.perf_counter() - start) * 1e3 / (self.bursts * self.steps * self.units))
        return samples[1:]


def trained(step, read):
    """The losses of the first steps: equal weights and data give equal losses."""
    losses = []
    for _ in range(CHECKED_STEPS):
        step()
        losses.append([read()] * 2)
    return losses


# Answers go where standard output was: frameworks print what they like, from their import on.
_answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def answer(**fields):
    _answers.write(json.dumps(fields) + "\n")
    _answers.flush()


@contextlib.contextmanager
def importing():
    """Around a framework's import: says that it is missing, and ends."""
    try:
        yield
    except ImportError as error:
        answer(missing=str(error))
        sys.exit()


def serve(version, makers):
    """`makers`: for each kind of work a function from a Work to a Job, or to None."""
    answer(version=version)
    job = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request["do"] == "prepare":
                job = None
                work = Work(request["work"])
                make = makers.get(work.kind)
                job = make and make(work)
                if job:
                    job.warm()
                    answer(checks=job.checks)
                else:
                    answer(unsupported=True)
            elif request["do"] == "sample":
                answer(ms=job.sample(request["seconds"]))
            else:
                job = None
                gc.collect()
                answer()
        except Exception as error:  # told to whoever asked; the next work may do
            answer(error=f"{type(error).__name__}: {error}"[:500])
