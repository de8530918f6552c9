#!/usr/bin/env python3
"""Tests of `compare`, and a smoke run of it. Without a framework: peers here are scripts of a few lines.

    python3 Benchmarks/tests.py [--scratch-path PATH]
"""

import importlib.machinery
import importlib.util
import json
import math
import subprocess
import sys
import tempfile
import textwrap
import types
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
COMPARE = HERE / "compare"
loader = importlib.machinery.SourceFileLoader("compare", str(COMPARE))
compare = importlib.util.module_from_spec(importlib.util.spec_from_loader("compare", loader))
loader.exec_module(compare)
running, works = sys.modules["running"], compare.works
scratch = sys.argv[sys.argv.index("--scratch-path"):][:2] if "--scratch-path" in sys.argv else []

WORK = "elementwise tanh 1000"


def framework(prepare="dict(checks=[[1.0, 1.0]])", sample="dict(ms=[2.0, 3.0, 2.5])", greeting="dict(version='1')"):
    """The command of a framework that answers so."""
    return [sys.executable, "-c", textwrap.dedent(f"""
        import json, os, sys, time
        print(json.dumps({greeting}), flush=True)
        for line in sys.stdin:
            request = json.loads(line)
            answers = dict(prepare=lambda: {prepare}, sample=lambda: {sample},
                           peaks=lambda: dict(rates={{'fma f32': 1e9, 'copy': 1e9}}))
            print(json.dumps(answers.get(request["do"], dict)()), flush=True)
        """)]


class Runs(unittest.TestCase):
    def run_with(self, **commands):
        self.addCleanup(setattr, running, "PATIENCE", running.PATIENCE)
        running.PATIENCE = 5
        run = running.Run([WORK], dict(Cajal=framework(), **commands), types.SimpleNamespace(threads=2, quick=True))
        run.go()
        return run

    def test_equal_work_is_compared(self):
        run = self.run_with(PyTorch=framework(sample="dict(ms=[5.0])"), JAX=framework(sample="dict(ms=[4.0])"))
        record = run.results[0].record()
        self.assertEqual(list(compare.faults(run)), [])
        self.assertEqual((record["cajal_ms"], record["pytorch_ms"], record["ratio"]), (2.5, 5, 2))
        self.assertEqual((record["best_peer"], record["best_peer_ms"], record["best_ratio"]), ("JAX", 4, 1.6))
        if sys.platform == "linux":
            self.assertTrue(all(record["peak_mib"][name] > 0 for name in ("Cajal", "PyTorch", "JAX")), record)
        # tanh(a · b + a) reads two arrays and writes one, at the 1e9 bytes a second of `framework`.
        self.assertAlmostEqual(record["floor_ms"], 3 * 4 * 1000 / 1e9 * 1e3)

    def test_other_results_are_a_fault(self):
        for checks in ("[[1.001, 1.0]]", "[]", "[[float('nan'), 1.0]]", "[[1.0, 1.0], [2.0, 1.0]]"):
            run = self.run_with(PyTorch=framework(prepare=f"dict(checks={checks})"))
            self.assertRegex("".join(compare.faults(run)), "do not do the same work", checks)
            self.assertFalse(run.results[0].record()["is_equal"])

    def test_peers_that_fail_are_left_out(self):
        run = self.run_with(
            slow=framework(prepare="time.sleep(60)"), dying=framework(sample="os._exit(3)"),
            failing=framework(prepare="dict(error='out of memory')"),
            unable=framework(prepare="dict(unsupported=True)"),
            absent=framework(greeting="dict(missing='no such module')"))
        failures = run.results[0].failures
        self.assertEqual(set(failures), {"slow", "dying", "failing"})
        self.assertRegex(failures["slow"], "took longer")
        self.assertEqual(set(run.results[0].medians), {"Cajal"})
        self.assertEqual(run.broken, {"absent": "no such module"})
        self.assertEqual(list(compare.faults(run)), [])

    def test_cajal_must_do_every_work(self):
        run = running.Run([WORK], dict(Cajal=framework(prepare="dict(error='no')")),
                          types.SimpleNamespace(threads=2, quick=True))
        run.go()
        self.assertRegex("".join(compare.faults(run)), "Cajal failed: no")


class Parts(unittest.TestCase):
    def test_the_lower_half_counts(self):
        result = running.Result(WORK)
        for milliseconds in (9, 1, 8, 2, 7, 3, 6, 4, 5):
            result.add("Cajal", [milliseconds])
        self.assertEqual(result.milliseconds("Cajal"), 3)  # of 1, 2, 3, 4, 5
        self.assertIsNone(result.milliseconds("JAX"))

    def test_works_are_chosen(self):
        self.assertEqual(compare.choose(None), works.ALL)
        self.assertEqual(compare.choose(["gemm f32 512x512x512"]), ["gemm f32 512x512x512"])
        self.assertEqual(compare.choose(["engine", WORK]), [WORK, "engine record", "engine compile"])
        self.assertEqual(len(compare.choose(["gemm f32 512x512x512*"])), 3)
        with self.assertRaises(compare.Failure):
            compare.choose(["gemm f16"])
        with self.assertRaises(compare.Failure):
            compare.choose(["engine", "gemm f16"])

    def test_every_work_is_read(self):
        for name in works.ALL:
            work = works.Work(name)
            if work.kind != "engine":
                self.assertGreater(work.floor({"fma f32": 1e9, "fma bf16": 1e9, "read": 1e9, "copy": 1e9}), 0, name)
        self.assertEqual(works.Work("gemm bf16 1x2x3 tb").amounts()[:2], (12, 22))
        self.assertEqual(works.Work("mlp 3-2-1 b5 adam train").amounts()[0], 2 * 5 * (8 + 8 + 2))
        self.assertEqual(works.Work("vae 7-5-3 b2 adam train").layers, [(7, 5), (5, 3), (5, 3), (3, 5), (5, 7)])

    def test_numbers_fit_their_column(self):
        shown = [compare.number(n) for n in (None, 0, 1234.5, 123.45, 1.2345, 0.0012345, 1e-9)]
        self.assertEqual(shown, ["-", "0", "1234", "123", "1.23", "0.00123", "0.000000"])


class SmokeRun(unittest.TestCase):
    """Builds Cajal's side and runs it."""

    def compare(self, *arguments):
        with tempfile.TemporaryFile() as output:
            done = subprocess.run([COMPARE, *scratch, *arguments], stdout=output, timeout=900)
            output.seek(0)
            return done.returncode, output.read().decode()

    def test_a_quick_look_without_peers(self):
        with tempfile.TemporaryDirectory() as folder:
            bare = Path(folder) / "python"  # has no packages, whatever the machine's has
            bare.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "$@"\n')
            bare.chmod(0o755)
            status, output = self.compare("--quick", "--only", WORK, "--json", "--python", str(bare))
        record = json.loads(output)
        self.assertEqual(status, 0)
        self.assertEqual(record["work"], WORK)
        self.assertGreater(record["cajal_ms"], 0)
        self.assertGreater(record["floor_ms"], 0)
        for missing in ("pytorch_ms", "ratio", "best_peer", "best_peer_ms", "best_ratio"):
            self.assertIsNone(record[missing])

    def test_both_sides_make_the_same_numbers(self):
        self.assertEqual(self.compare("--list")[0], 0)
        arguments = types.SimpleNamespace(threads=2, no_build=False, scratch_path=scratch[1] if scratch else None)
        worker = running.Worker("Cajal", [compare.build(arguments), "2"], arguments)
        self.addCleanup(worker.stop)
        worker.greet()
        checks = worker.ask(do="prepare", work=WORK)["checks"]

        def number(purpose, element):
            x = (element + purpose * 256 * 0x9E3779B9) & 0xFFFFFFFF
            for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B), (16, 1)):
                x = ((x ^ x >> shift) * factor) & 0xFFFFFFFF
            return (x >> 8) / 2**24 * 2 - 1

        expected = [math.tanh(a * number(2, i) + a) for i, a in ((i, number(1, i)) for i in range(1000))]
        mean = sum(map(abs, expected)) / 1000
        sampled = [expected[(k * 2654435761 + 12345) % 1000] for k in range(1, 8)]
        for (found, size), wanted in zip(checks, [mean, *sampled], strict=True):
            self.assertAlmostEqual(found, wanted, delta=1e-6)
            self.assertAlmostEqual(size, mean, delta=1e-6)

    def test_mistakes_are_said(self):
        self.assertNotEqual(self.compare("--only", "nonsense")[0], 0)
        self.assertNotEqual(self.compare("--python", "/nowhere/python")[0], 0)
        self.assertEqual(self.compare("--threads", "0")[0], 2)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
