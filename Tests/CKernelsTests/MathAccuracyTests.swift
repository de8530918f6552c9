import CajalCKernels
import Foundation
import Testing

extension CKernels {
  /// Errors of the float32 functions in units in the last place, over a sample
  /// of all bit patterns. `Tests/KernelChecks/run functions 1` looks at every one of the 2^32.
  @Suite struct MathAccuracy {
    static let step = 50_021

    func worst(_ op: cj_opcode, _ exact: (Double) -> Double) -> (error: Double, at: Float) {
      var result = (error: 0.0, at: Float(0))
      var next = 0
      while next < 1 << 32 {
        var inputs: [Float] = []
        while next < 1 << 32, inputs.count < 1 << 16 {
          inputs.append(Float(bitPattern: UInt32(next)))
          next += Self.step
        }
        let got = runOne(
          op, CJ_F32, extents: [inputs.count], [Operand(CJ_FLOAT32, inputs, strides: [1])], out: CJ_FLOAT32
        ).values(Float.self)
        for (x, y) in zip(inputs, got) {
          let error = unitsInLastPlace(y, exact: exact(Double(x)))
          if error > result.error { result = (error, x) }
        }
      }
      return result
    }

    @Test func float32FunctionsStayWithinTwoUnitsInTheLastPlace() {
      let functions: [(String, cj_opcode, (Double) -> Double)] = [
        ("exp", CJ_EXP, { exp($0) }), ("expm1", CJ_EXPM1, { expm1($0) }), ("log", CJ_LOG, { log($0) }),
        ("log1p", CJ_LOG1P, { log1p($0) }), ("sin", CJ_SIN, { sin($0) }), ("cos", CJ_COS, { cos($0) }),
        ("tanh", CJ_TANH, { tanh($0) }), ("erf", CJ_ERF, { erf($0) }), ("rsqrt", CJ_RSQRT, { 1 / sqrt($0) }),
        ("sigmoid", CJ_SIGMOID, { $0 < 0 ? exp($0) / (1 + exp($0)) : 1 / (1 + exp(-$0)) }),
      ]
      atEveryLevel { level in
        for (name, op, exact) in functions {
          let (error, at) = worst(op, exact)
          #expect(error <= 2, "\(level) \(name) at \(at)")
        }
      }
    }

    @Test func float32PowerRoundsCorrectlyButForRareArguments() {
      let special: [Float] = [
        0, -0.0, 1, -1, 2, -2, 3, -3, 0.5, -0.5, .infinity, -.infinity, .nan, .leastNonzeroMagnitude,
        -.leastNonzeroMagnitude, 3e38, -3e38, 16_777_215,
        16_777_216, 33_554_432, 1e9, -7, 1.5,
      ]
      var bases: [Float] = []
      var exponents: [Float] = []
      var draws = Draws(8)
      for a in special {
        for b in special {
          bases.append(a)
          exponents.append(b)
        }
      }
      for _ in 0..<50_000 {
        bases.append(Float(bitPattern: 0x3f80_0000 &+ UInt32(draws.below(0x800_0000)) &- 0x400_0000))
        exponents.append(Float(draws.uniform() * 100 / max(0.01, abs(log2(Double(bases.last!))))))
      }
      atEveryLevel { level in
        let got = runOne(
          CJ_POWER, CJ_F32, extents: [bases.count],
          [Operand(CJ_FLOAT32, bases, strides: [1]), Operand(CJ_FLOAT32, exponents, strides: [1])], out: CJ_FLOAT32
        ).values(Float.self)
        for i in bases.indices {
          let error = unitsInLastPlace(got[i], exact: pow(Double(bases[i]), Double(exponents[i])))
          #expect(error < 0.51, "\(level) \(bases[i]) to \(exponents[i]) gave \(got[i])")
        }
      }
    }

    @Test func signedZerosAndInfinitiesFollowC() {
      let inputs: [Float] = [-0.0, 0, .infinity, -.infinity, .nan]
      func run(_ op: cj_opcode) -> [Float] {
        runOne(op, CJ_F32, extents: [5], [Operand(CJ_FLOAT32, inputs, strides: [1])], out: CJ_FLOAT32).values(
          Float.self)
      }
      atEveryLevel { level in
        for op in [CJ_SIN, CJ_TANH, CJ_ERF, CJ_EXPM1, CJ_LOG1P] {
          #expect(run(op)[0].sign == .minus && run(op)[0] == 0, "\(level) \(op)")
          #expect(run(op)[1].sign == .plus && run(op)[1] == 0)
        }
        for op in [CJ_EXP, CJ_EXPM1, CJ_LOG, CJ_LOG1P, CJ_SIN, CJ_COS, CJ_TANH, CJ_ERF, CJ_SIGMOID, CJ_RSQRT] {
          #expect(run(op)[4].isNaN)
        }
        #expect(run(CJ_LOG)[0] == -.infinity && run(CJ_LOG)[2] == .infinity && run(CJ_LOG)[3].isNaN)
        #expect(run(CJ_TANH)[2] == 1 && run(CJ_ERF)[3] == -1 && run(CJ_SIGMOID)[3] == 0 && run(CJ_EXPM1)[3] == -1)
        #expect(run(CJ_SIN)[2].isNaN && run(CJ_COS)[3].isNaN)
      }
    }

    @Test func float64FunctionsAreThoseOfTheLibrary() {
      var draws = Draws(9)
      let inputs = (0..<1000).map { _ in draws.uniform() * 20 }
      let functions: [(cj_opcode, (Double) -> Double)] = [
        (CJ_EXP, { exp($0) }), (CJ_EXPM1, { expm1($0) }), (CJ_LOG, { log($0) }), (CJ_LOG1P, { log1p($0) }),
        (CJ_SIN, { sin($0) }), (CJ_COS, { cos($0) }), (CJ_TANH, { tanh($0) }), (CJ_ERF, { erf($0) }),
        (CJ_SIGMOID, { $0 < 0 ? exp($0) / (1 + exp($0)) : 1 / (1 + exp(-$0)) }),
      ]
      for (op, f) in functions {
        let got = runOne(op, CJ_F64, extents: [1000], [Operand(CJ_FLOAT64, inputs, strides: [1])], out: CJ_FLOAT64)
        for (x, y) in zip(inputs, got.values(Double.self)) {
          #expect(f(x).isNaN ? y.isNaN : abs(y - f(x)) <= 2 * f(x).ulp, "\(op) at \(x)")
        }
      }
    }
  }
}
