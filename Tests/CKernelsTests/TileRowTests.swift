import CajalCKernels
import Testing

extension CKernels {
  /// Reductions inside tile programs: the bits of `cj_reduce`, whatever the shape of the tiles.
  @Suite struct TileRows {
    private struct Case {
      var shape: [Int]
      var dtype: cj_dtype
      var rows: Int { shape.dropLast().reduce(1, *) }
      var columns: Int { shape[shape.count - 1] }
      var type: cj_type { computeType(dtype) }
    }

    private let shapes = [
      [1, 5], [7, 2], [3, 9], [40, 31], [33, 32], [2, 3, 100], [300, 10], [40, 256], [5, 1024], [3, 1500],
      [20, 4, 33], [2, 2100], [17, 17], [200, 130],
    ]

    private func values(_ test: Case, _ draws: inout Draws) -> [UInt8] {
      (0..<test.rows * test.columns).flatMap { _ in
        let x = draws.uniform() * 4 - 2
        switch test.dtype {
        case CJ_FLOAT64: return [x].bytes()
        case CJ_FLOAT32: return [Float(x)].bytes()
        case CJ_FLOAT16: return [cj_float_to_half(Float(x))].bytes()
        default: return [UInt16(Float(x).bitPattern >> 16)].bytes()
        }
      }
    }

    private func strides(_ shape: [Int]) -> [Int] {
      var result = [Int](repeating: 1, count: shape.count)
      for axis in stride(from: shape.count - 2, through: 0, by: -1) {
        result[axis] = result[axis + 1] * shape[axis + 1]
      }
      return result
    }

    /// `cj_reduce`, with a workspace.
    private func reduced(_ op: cj_reduction, _ dtype: cj_dtype, _ outer: Int, _ n: Int, _ inner: Int, _ x: [UInt8])
      -> [UInt8]
    {
      var result = [UInt8](repeating: 0, count: outer * inner * elementBytes(dtype))
      let bytes = Int(cj_reduce_workspace(op, dtype, Int64(outer), Int64(n), Int64(inner)))
      let workspace = UnsafeMutableRawPointer.allocate(byteCount: max(bytes, 64), alignment: 64)
      defer { workspace.deallocate() }
      cj_reduce(op, dtype, Int64(outer), Int64(n), Int64(inner), x, &result, workspace)
      return result
    }

    @Test func rowsAndFoldsHaveTheBitsOfReductions() {
      var draws = Draws(31)
      atEveryLevel { level in
        for shape in shapes {
          let test = Case(shape: shape, dtype: draws.pick([CJ_FLOAT32, CJ_FLOAT64, CJ_FLOAT16, CJ_BFLOAT16]))
          check(test, draws.pick([CJ_SUM, CJ_PRODUCT, CJ_MAX, CJ_MIN]), level, &draws)
        }
      }
    }

    /// Stores each row's reduction, folds the columns, and writes both back over the space.
    private func check(_ test: Case, _ op: cj_reduction, _ level: String, _ draws: inout Draws) {
      let x = values(test, &draws)
      let full = strides(test.shape)
      let row = strides(test.shape.dropLast()) + [0]
      let size = elementBytes(test.dtype)
      let rounds = size == 2
      func round(_ dst: Int, _ a: Int) -> cj_instruction {
        rounds
          ? instruction(CJ_ROUND, test.type, aux: Int(test.dtype.rawValue), dst, a, extent: CJ_ROW)
          : instruction(CJ_MAXIMUM, test.type, dst, a, a, extent: CJ_ROW)
      }
      for withWorkspace in [true, false] {
        var slots = [
          x, [UInt8](repeating: 0, count: test.rows * size), [UInt8](repeating: 0, count: test.columns * size),
          [UInt8](repeating: 0, count: x.count),
        ]
        runGroup(
          test.shape, loads: [access(0, test.dtype, 0, strides: full)],
          stores: [
            access(1, test.dtype, 2, strides: row, extent: CJ_ROW), access(3, test.dtype, 3, strides: full),
          ],
          folds: [cj_fold(slot: 2, reg: 0, op: UInt8(op.rawValue), dtype: UInt8(test.dtype.rawValue))], registers: 4,
          [
            instruction(CJ_REDUCE, test.type, aux: Int(op.rawValue), 1, 0, extent: CJ_ROW), round(2, 1),
            instruction(CJ_BROADCAST, test.type, 3, 2),
          ], slots: &slots, withWorkspace: withWorkspace)
        let rows = reduced(op, test.dtype, test.rows, test.columns, 1, x)
        let note = "\(level) \(test.shape) \(test.dtype) \(op), workspace \(withWorkspace)"
        #expect(slots[1] == rows, "rows: \(note)")
        #expect(slots[2] == reduced(op, test.dtype, 1, test.rows, test.columns, x), "folds: \(note)")
        let spread = (0..<test.rows).flatMap { index in
          (0..<test.columns).flatMap { _ in rows[index * size..<(index + 1) * size] }
        }
        #expect(slots[3] == spread, "broadcast: \(note)")
      }
    }

    /// Row values from memory, one value for all, and a chain between them.
    @Test func rowValuesMeetColumnsAndScalars() {
      var draws = Draws(32)
      atEveryLevel { level in
        for shape in shapes {
          let test = Case(shape: shape, dtype: CJ_FLOAT32)
          let x: [Float] = values(test, &draws).values(Float.self)
          let bias = (0..<test.columns).map { _ in Float(draws.uniform()) }
          let scale = (0..<test.rows).map { _ in Float(draws.uniform()) }
          var slots = [
            x.bytes(), bias.bytes(), scale.bytes(), [Float(0.5)].bytes(), [UInt8](repeating: 0, count: x.count * 4),
          ]
          let row = strides(shape.dropLast()) + [0]
          runGroup(
            shape,
            loads: [
              access(0, CJ_FLOAT32, 0, strides: strides(shape)),
              access(1, CJ_FLOAT32, 1, strides: shape.dropLast().map { _ in 0 } + [1]),
              access(2, CJ_FLOAT32, 2, strides: row, extent: CJ_ROW),
              access(3, CJ_FLOAT32, 3, strides: shape.map { _ in 0 }, extent: CJ_ROW),
            ], stores: [access(4, CJ_FLOAT32, 8, strides: strides(shape))], registers: 9,
            [
              instruction(CJ_ADD, CJ_F32, 4, 0, 1),  // x + bias
              instruction(CJ_MULTIPLY, CJ_F32, 5, 2, 3, extent: CJ_ROW),  // scale / 2
              instruction(CJ_BROADCAST, CJ_F32, 6, 5),
              instruction(CJ_MULTIPLY, CJ_F32, 7, 4, 6), instruction(CJ_SUBTRACT, CJ_F32, 8, 7, 1),
            ], slots: &slots)
          let expected = x.indices.map { index -> Float in
            let (r, c) = (index / test.columns, index % test.columns)
            return (x[index] + bias[c]) * (scale[r] * 0.5) - bias[c]
          }
          #expect(slots[4].values(Float.self) == expected, "\(level) \(shape)")
        }
      }
    }

    /// What a cross-entropy does with its labels: a column's number equals one in one column at most.
    @Test func oneColumnDiffersFromTheRest() {
      var draws = Draws(33)
      atEveryLevel { level in
        for shape in shapes {
          let test = Case(shape: shape, dtype: CJ_FLOAT32)
          let x: [Float] = values(test, &draws).values(Float.self)
          let labels = (0..<test.rows).map { _ in Int64(draws.below(test.columns + 4) - 2) }
          let row = strides(shape.dropLast()) + [0]
          var slots = [
            x.bytes(), labels.bytes(), [UInt8](repeating: 0, count: test.rows * 4),
            [UInt8](repeating: 0, count: x.count * 4),
          ]
          runGroup(
            shape,
            loads: [
              access(0, CJ_FLOAT32, 0, strides: strides(shape)),
              access(-1, CJ_INT64, 1, offset: 1, strides: shape.dropLast().map { _ in 0 } + [1]),
              access(1, CJ_INT64, 2, strides: row),
            ],
            stores: [
              access(2, CJ_FLOAT32, 6, strides: row, extent: CJ_ROW),
              access(3, CJ_FLOAT32, 10, strides: strides(shape)),
            ],
            registers: 11,
            [
              instruction(CJ_EQUAL, CJ_I64, 3, 1, 2), instruction(CJ_CONSTANT, CJ_F32, 4),
              instruction(CJ_SELECT, CJ_F32, 5, 3, 0, 4),
              instruction(CJ_REDUCE, CJ_F32, aux: Int(CJ_SUM.rawValue), 6, 5, extent: CJ_ROW),
              instruction(CJ_CONSTANT, CJ_F32, 7, immediate: UInt64(Float(0.5).bitPattern)),
              instruction(CJ_CONSTANT, CJ_F32, 8, immediate: UInt64(Float(-3).bitPattern)),
              instruction(CJ_SELECT, CJ_F32, 9, 3, 8, 7), instruction(CJ_MULTIPLY, CJ_F32, 10, 9, 0),
            ], slots: &slots)
          let at = labels.map { Int($0) - 1 }  // columns are counted from 1
          let picked = at.indices.map { at[$0] >= 0 && at[$0] < test.columns ? x[$0 * test.columns + at[$0]] + 0 : 0 }
          let scaled = x.indices.map { x[$0] * ($0 % test.columns == at[$0 / test.columns] ? -3 : 0.5) }
          #expect(slots[2] == picked.bytes(), "\(level) \(shape)")
          #expect(slots[3] == scaled.bytes(), "\(level) \(shape)")
        }
      }
    }

    /// Results too large for the caches go past them; the same in parts that are not, with lines that begin
    /// anywhere.
    @Test func largeResultsHaveTheBitsOfSmallOnes() {
      for columns in [1024, 1030, 48] {
        let rows = 4_200_000 / columns
        let x = (0..<rows * columns).map { Float($0 % 1009) / 300 - 1.5 }.bytes()
        let part = rows / 3
        var parts = [[UInt8]](repeating: [], count: 2)
        for first in stride(from: 0, to: rows, by: part) {
          let bytes = first * columns * 4..<min(rows, first + part) * columns * 4
          let results = functions(Array(x[bytes]), columns)
          for index in parts.indices { parts[index] += results[index] }
        }
        #expect(functions(x, columns) == parts, "\(columns) columns")
      }
    }

    /// x·exp(x) and exp(x) + x for rows of `columns`.
    private func functions(_ x: [UInt8], _ columns: Int) -> [[UInt8]] {
      let zeros = [UInt8](repeating: 0, count: x.count)
      var slots = [x, zeros, zeros]
      runGroup(
        [x.count / 4 / columns, columns], loads: [access(0, CJ_FLOAT32, 0, strides: [columns, 1])],
        stores: [
          access(1, CJ_FLOAT32, 2, strides: [columns, 1]), access(2, CJ_FLOAT32, 3, strides: [columns, 1]),
        ], registers: 4,
        [
          instruction(CJ_EXP, CJ_F32, 1, 0), instruction(CJ_MULTIPLY, CJ_F32, 2, 0, 1),
          instruction(CJ_ADD, CJ_F32, 3, 1, 0),
        ], slots: &slots)
      return Array(slots[1...])
    }
  }
}
