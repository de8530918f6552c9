import CajalBase
import CajalCompiler
import CajalIR
import CajalOperations
import Testing

/// Effects are never merged, dropped or moved past each other.
@Suite struct EffectTests {
  private func numbers(_ program: Program) -> [Int] {
    program.steps.compactMap { step in
      if case .operation(let operation as Effect, _, _, _, _) = step.kind { return operation.number }
      return nil
    }
  }

  @Test func effectsAreNeitherMergedNorDropped() throws {
    let graph = try makeGraph { g in
      let x = g.input([4])
      _ = try g.add(Effect(number: 0), x)
      _ = try g.add(Effect(number: 1), x)
      return [try g.add(Effect(number: 2), x)]
    }
    var work = WorkCount()
    #expect(Pipeline.run(graph, &work).instructions.count == 3)
    #expect(numbers(compiled(graph)) == [0, 1, 2])
  }

  @Test(arguments: [true, false])
  func effectsKeepTheirOrderWhateverTheyWaitFor(_ fuses: Bool) throws {
    let graph = try makeGraph { g in
      let x = g.input([4, 4])
      let late = try g.add(MatMul(), try g.add(MatMul(), x, x), x)
      _ = try g.add(Effect(number: 0), try g.apply(.exp, late))
      _ = try g.add(Effect(number: 1), x)
      let between = try g.add(Effect(number: 2), try g.apply(.sin, x))
      _ = try g.add(Effect(number: 3), x)
      return [between]
    }
    #expect(numbers(compiled(graph, fuses: fuses)) == [0, 1, 2, 3])
  }

  @Test func anEffectThatCanFailTakesThoseBeforeItAlong() throws {
    let graph = try makeGraph { g in
      let x = g.input([4, 4])
      _ = try g.add(Effect(number: 0), try g.add(MatMul(), x, x))
      _ = try g.add(Effect(number: 1, isFallible: true), x)
      _ = try g.add(Effect(number: 2), x)
      return [try g.apply(.exp, x)]
    }
    #expect(numbers(compiled(graph)) == [0, 1, 2])
  }

  @Test func aScanWithAnEffectInItsBodyIsOne() throws {
    let body = try makeGraph { g in
      _ = g.input([], .int64)
      let x = g.input([2])
      _ = try g.add(Effect(number: 0), x)
      return [x]
    }
    let scan = Scan(LoopSignature(body: body, carries: 1, sequences: 0, length: 3, isReversed: false))
    #expect(scan.hasEffect)
    let graph = try makeGraph { g in
      let x = g.input([2])
      _ = try g.add(scan, x)
      return [try g.apply(.exp, x)]
    }
    #expect(compiled(graph).steps.contains { $0.name == "scan" })
  }
}
