import CajalCKernels
import Testing

extension CKernels {
  /// Layouts, tails, fusion and aliasing: an element's bits never depend on them.
  @Suite struct TileLayouts {
    /// An operand over `extents` in a random layout, and its elements in order.
    func operand(_ extents: [Int], _ dtype: cj_dtype, _ draws: inout Draws) -> (operand: Operand, elements: [[UInt8]]) {
      let size = elementBytes(dtype)
      var strides = [Int](repeating: 0, count: extents.count)
      var step = 1
      var offset = 0
      let order = draws.below(3) == 0 ? Array(extents.indices).shuffled(using: &draws) : extents.indices.reversed()
      if draws.below(5) == 0 { step = 2 }
      for axis in order {
        if draws.below(4) == 0 { continue }
        strides[axis] = step
        step *= extents[axis]
        if draws.below(8) == 0 {
          offset += strides[axis] * (extents[axis] - 1)
          strides[axis] = -strides[axis]
        }
      }
      var values: [UInt8] = []
      for _ in 0...step {
        let x = draws.uniform() * 3
        switch dtype {
        case CJ_FLOAT32: values += [Float(x)].bytes()
        case CJ_FLOAT64: values += [x].bytes()
        case CJ_FLOAT16: values += [cj_float_to_half(Float(x))].bytes()
        case CJ_BFLOAT16: values += [UInt16(Float(x).bitPattern >> 16)].bytes()
        case CJ_BOOL: values.append(x < 0 ? 0 : 1)
        default: values += Array([Int64(x * 40)].bytes().prefix(size))
        }
      }
      var result = Operand(dtype, [UInt8](), offset: offset, strides: strides)
      result.bytes = values
      var elements: [[UInt8]] = []
      func walk(_ axis: Int, _ at: Int) {
        if axis == extents.count { return elements.append(Array(values[at * size..<(at + 1) * size])) }
        for i in 0..<extents[axis] { walk(axis + 1, at + i * strides[axis]) }
      }
      walk(0, offset)
      return (result, elements)
    }

    @Test func everyLayoutGivesTheBitsOfSingleElements() {
      var draws = Draws(10)
      let cases: [(cj_opcode, Int, [cj_dtype])] = [
        (
          CJ_ADD, 2, [CJ_FLOAT32, CJ_FLOAT64, CJ_FLOAT16, CJ_BFLOAT16, CJ_INT8, CJ_UINT8, CJ_INT16, CJ_INT32, CJ_INT64]
        ),
        (CJ_EXP, 1, [CJ_FLOAT32, CJ_FLOAT16, CJ_FLOAT64]), (CJ_TANH, 1, [CJ_FLOAT32]), (CJ_SIN, 1, [CJ_FLOAT32]),
        (CJ_ERF, 1, [CJ_FLOAT32, CJ_BFLOAT16]), (CJ_POWER, 2, [CJ_FLOAT32, CJ_INT32]), (CJ_LOG1P, 1, [CJ_FLOAT32]),
        (CJ_SIGMOID, 1, [CJ_FLOAT32]), (CJ_MULTIPLY_ADD, 3, [CJ_FLOAT32, CJ_FLOAT64, CJ_INT64]),
        (CJ_REMAINDER, 2, [CJ_FLOAT32, CJ_INT64]), (CJ_LESS, 2, [CJ_FLOAT32, CJ_INT8, CJ_BOOL]),
      ]
      let shapes = [
        [1], [7], [1000], [5003], [3, 5], [100, 10], [37, 70], [2, 3, 4], [40, 3, 3], [5, 700], [3, 2, 1025], [1, 1],
        [9, 1], [2, 2, 2, 2, 3], [300, 33],
      ]
      atEveryLevel { level in
        for (op, arity, dtypes) in cases {
          for dtype in dtypes {
            for extents in [draws.pick(shapes), draws.pick(shapes), draws.pick(shapes)] {
              let operands = (0..<arity).map { _ in operand(extents, dtype, &draws) }
              let type = computeType(dtype)
              let out = op == CJ_LESS ? CJ_BOOL : dtype
              let size = elementBytes(out)
              let got = runOne(op, type, extents: extents, operands.map(\.operand), out: out)
              let count = extents.reduce(1, *)
              for i in stride(from: 0, to: count, by: max(1, count / 300)) {
                let single = operands.map { operand in
                  var one = Operand(dtype, [UInt8](), strides: [1])
                  one.bytes = operand.elements[i]
                  return one
                }
                let expected = runOne(op, type, extents: [1], single, out: out)
                #expect(
                  Array(got[i * size..<(i + 1) * size]) == expected,
                  "\(level) \(op) \(dtype) \(extents) element \(i) of \(operands.map(\.operand.strides))")
              }
            }
          }
        }
      }
    }

    @Test func storesMayBeStrided() {
      var draws = Draws(11)
      for extents in [[10, 6], [100, 40], [3, 2000], [2, 3, 5]] {
        for dtype in [CJ_FLOAT32, CJ_FLOAT16, CJ_INT64] {
          let count = extents.reduce(1, *)
          var slots = [
            (0..<count).flatMap { _ in draws.floats(1).bytes() },
            [UInt8](repeating: 0, count: (2 * count + 1) * elementBytes(dtype)),
          ]
          var dense = [Int](repeating: 1, count: extents.count)
          var columnMajor = dense
          for axis in stride(from: extents.count - 2, through: 0, by: -1) {
            dense[axis] = dense[axis + 1] * extents[axis + 1]
          }
          for axis in 1..<extents.count { columnMajor[axis] = columnMajor[axis - 1] * extents[axis - 1] }
          let type = computeType(dtype)
          let program =
            type == CJ_F32
            ? [instruction(CJ_NEGATE, CJ_F32, 1, 0)]
            : [instruction(CJ_CAST, type, aux: Int(CJ_F32.rawValue), 1, 0)]
          let plain = runOne(
            type == CJ_F32 ? CJ_NEGATE : CJ_CAST, type, aux: Int(CJ_F32.rawValue), extents: [count],
            [Operand(CJ_FLOAT32, slots[0].values(Float.self), strides: [1])], out: dtype)
          runGroup(
            extents, loads: [access(0, CJ_FLOAT32, 0, strides: dense)],
            stores: [access(1, dtype, 1, offset: 1, strides: columnMajor.map { 2 * $0 })], registers: 2, program,
            slots: &slots)
          let size = elementBytes(dtype)
          var right = true
          for i in 0..<count {
            var at = 1
            var rest = i
            for axis in extents.indices {
              at += rest / dense[axis] * columnMajor[axis] * 2
              rest %= dense[axis]
            }
            if slots[1][at * size..<(at + 1) * size] != plain[i * size..<(i + 1) * size] { right = false }
          }
          #expect(right, "\(extents) \(dtype)")
        }
      }
    }

    @Test func affineOperandsCountCoordinates() {
      var slots = [[UInt8](repeating: 0, count: 6 * 700 * 5 * 8)]
      runGroup(
        [6, 700, 5], loads: [access(-1, CJ_INT64, 0, offset: 11, strides: [1000, -2, 7])],
        stores: [access(0, CJ_INT64, 0, strides: [3500, 5, 1])], registers: 1, [], slots: &slots)
      var expected: [Int64] = []
      for i in 0..<6 { for j in 0..<700 { for k in 0..<5 { expected.append(Int64(11 + 1000 * i - 2 * j + 7 * k)) } } }
      #expect(slots[0].values(Int64.self) == expected)
    }

    /// x and y are updated in place while both are still read by later instructions.
    @Test func programsMayWriteInPlace() {
      var draws = Draws(12)
      for extents in [[7], [5000], [3, 900], [200, 10]] {
        let count = extents.reduce(1, *)
        let x = draws.floats(count)
        let y = draws.floats(count)
        let dense = extents.count == 1 ? [1] : [extents[1], 1]
        // 2: x + y -> x;  3: x * y (reads x after x + y is made) -> y;  4: x - (x + y) -> z
        let program = [
          instruction(CJ_ADD, CJ_F32, 2, 0, 1), instruction(CJ_MULTIPLY, CJ_F32, 3, 0, 1),
          instruction(CJ_SUBTRACT, CJ_F32, 4, 0, 2),
        ]
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
          var slots = [x.bytes(), y.bytes(), [UInt8](repeating: 0, count: count * 4)]
          let stores = [(0, 2), (1, 3), (2, 4)].map { access($0, CJ_FLOAT32, $1, strides: dense) }
          runGroup(
            extents, loads: [access(0, CJ_FLOAT32, 0, strides: dense), access(1, CJ_FLOAT32, 1, strides: dense)],
            stores: order.map { stores[$0] }, registers: 5, program, slots: &slots)
          #expect(slots[0].values(Float.self) == zip(x, y).map { $0 + $1 })
          #expect(slots[1].values(Float.self) == zip(x, y).map { $0 * $1 })
          #expect(slots[2].values(Float.self) == zip(x, y).map { $0 - ($0 + $1) })
        }
      }
    }

    @Test func aSwapInPlaceKeepsBothValues() {
      let x = (0..<3000).map { Float($0) }
      let y = x.map { -$0 }
      var slots = [x.bytes(), y.bytes()]
      runGroup(
        [3000], loads: [access(0, CJ_FLOAT32, 0, strides: [1]), access(1, CJ_FLOAT32, 1, strides: [1])],
        stores: [access(1, CJ_FLOAT32, 0, strides: [1]), access(0, CJ_FLOAT32, 1, strides: [1])], registers: 2, [],
        slots: &slots)
      #expect(slots[0].values(Float.self) == y && slots[1].values(Float.self) == x)
    }

    @Test func aRegisterMayBeStoredMoreThanOnce() {
      let x = (0..<3000).map { Float($0) }
      var slots = [x.bytes(), x.bytes(), [UInt8](repeating: 0, count: 6000), x.bytes()]
      runGroup(
        [3000], loads: [access(0, CJ_FLOAT32, 0, strides: [1])],
        stores: [
          access(0, CJ_FLOAT32, 1, strides: [1]), access(1, CJ_FLOAT32, 1, strides: [1]),
          access(2, CJ_BFLOAT16, 1, strides: [1]), access(3, CJ_FLOAT32, 0, strides: [1]),
        ], registers: 2, [instruction(CJ_NEGATE, CJ_F32, 1, 0)], slots: &slots)
      #expect(slots[0] == slots[1] && slots[0].values(Float.self) == x.map { -$0 })
      #expect(slots[3].values(Float.self) == x)
    }

    /// A long chain with constants of every type: more registers than fit a cache.
    @Test func longProgramsRecycleTheirRegisters() {
      var draws = Draws(13)
      for count in [100, 4097] {
        let x = draws.floats(count)
        var program: [cj_instruction] = []
        var expected = x
        var registers = 1
        var last = 0
        for i in 0..<100 {
          let constant = Float(draws.uniform())
          program.append(instruction(CJ_CONSTANT, CJ_F32, registers, immediate: UInt64(constant.bitPattern)))
          program.append(instruction(i % 2 == 0 ? CJ_MULTIPLY : CJ_ADD, CJ_F32, registers + 1, last, registers))
          last = registers + 1
          registers += 2
          expected = expected.map { i % 2 == 0 ? $0 * constant : $0 + constant }
          if i % 10 == 9 {  // through float64, int64 and bool and back
            program.append(instruction(CJ_CAST, CJ_F64, aux: Int(CJ_F32.rawValue), registers, last))
            program.append(instruction(CJ_CONSTANT, CJ_F64, registers + 1, immediate: (0.25).bitPattern))
            program.append(instruction(CJ_LESS, CJ_F64, registers + 2, registers, registers + 1))
            program.append(instruction(CJ_CAST, CJ_F32, aux: Int(CJ_B8.rawValue), registers + 3, registers + 2))
            program.append(instruction(CJ_ADD, CJ_F32, registers + 4, last, registers + 3))
            last = registers + 4
            registers += 5
            expected = expected.map { $0 + (Double($0) < 0.25 ? 1 : 0) }
          }
        }
        var slots = [x.bytes(), [UInt8](repeating: 0, count: count * 4)]
        runGroup(
          [count], loads: [access(0, CJ_FLOAT32, 0, strides: [1])], stores: [access(1, CJ_FLOAT32, last, strides: [1])],
          registers: registers, program, slots: &slots)
        #expect(slots[1].values(Float.self) == expected)
      }
    }

    /// One instruction after the other reads what was made just before and long before, none of them a function.
    @Test(arguments: [64, 65, 66, 67, 200]) func arithmeticOfAnyLengthGivesTheBitsOfEachInstruction(_ length: Int) {
      var draws = Draws(15)
      let x = draws.floats(4097)
      var values = [x]
      var program: [cj_instruction] = []
      for i in 1...length {
        let earlier = values[i / 2]
        program.append(instruction(i % 2 == 0 ? CJ_SUBTRACT : CJ_MAXIMUM, CJ_F32, i, i - 1, i / 2))
        values.append(zip(values[i - 1], earlier).map { i % 2 == 0 ? $0 - $1 : max($0, $1) })
      }
      var slots = [x.bytes(), x.bytes()]
      runGroup(
        [4097], loads: [access(0, CJ_FLOAT32, 0, strides: [1])], stores: [access(1, CJ_FLOAT32, length, strides: [1])],
        registers: length + 1, program, slots: &slots)
      #expect(slots[1].values(Float.self) == values[length])
    }

    @Test func fusedProgramsGiveTheBitsOfSeparateOnes() {
      var draws = Draws(14)
      let x = Operand(CJ_FLOAT32, draws.floats(3001), strides: [1])
      let steps = [CJ_EXP, CJ_TANH, CJ_SIN, CJ_SIGMOID, CJ_ERF, CJ_LOG1P]
      var separate = x
      for op in steps { separate.bytes = runOne(op, CJ_F32, extents: [3001], [separate], out: CJ_FLOAT32) }
      var slots = [x.bytes, x.bytes]
      runGroup(
        [3001], loads: [access(0, CJ_FLOAT32, 0, strides: [1])],
        stores: [access(1, CJ_FLOAT32, steps.count, strides: [1])], registers: steps.count + 1,
        steps.enumerated().map { instruction($1, CJ_F32, $0 + 1, $0) }, slots: &slots)
      #expect(slots[1] == separate.bytes)
    }

    @Test func programsGiveTheSameBitsForAnyThreadCount() {
      var draws = Draws(15)
      for extents in [[300_001], [1000, 333], [40_000, 9]] {
        let operands = (0..<3).map { _ in operand(extents, CJ_FLOAT32, &draws).operand }
        expectSameBitsForAnyThreadCount("\(extents)") {
          runOne(CJ_MULTIPLY_ADD, CJ_F32, extents: extents, operands, out: CJ_FLOAT32)
        }
      }
    }
  }
}
