import CajalCKernels
import Testing

extension CKernels.MatrixProducts {
  /// What the callback saw: each element of C when its block was done, and how often.
  private final class Blocks: @unchecked Sendable {
    let rows: Int, columns: Int, bytes: Int
    let c: UnsafeMutableRawPointer, seen: UnsafeMutableRawPointer
    let times: UnsafeMutablePointer<UInt8>

    init(_ problem: Problem, _ c: UnsafeMutableRawPointer, bytes: Int) {
      (rows, columns, self.bytes, self.c) = (problem.batch * problem.m, problem.n, bytes, c)
      seen = .allocate(byteCount: rows * columns * bytes, alignment: 64)
      times = .allocate(capacity: rows * columns)
      times.initialize(repeating: 0, count: rows * columns)
    }
    deinit {
      seen.deallocate()
      times.deallocate()
    }

    func add(_ row: Int, _ rows: Int, _ column: Int, _ columns: Int) {
      guard row >= 0, row + rows <= self.rows, column >= 0, column + columns <= self.columns else { return }
      for i in row..<row + rows {
        let at = i * self.columns + column
        (seen + at * bytes).copyMemory(from: c + at * bytes, byteCount: columns * bytes)
        for j in 0..<columns { times[at + j] &+= 1 }
      }
    }
  }

  @Test func blocksAreReportedOnceAndFinal() {
    atEveryLevel { level in
      var draws = Draws(44)
      var problems = (0..<60).map { _ in Self.randomProblem(&draws) }
      // Whole batches in one task; a column computed as a row; many rows of one block.
      problems.append(Problem(dtype: CJ_FLOAT32, batch: 300, m: 3, n: 5, k: 7))
      problems.append(Problem(dtype: CJ_FLOAT32, batch: 30, m: 400, n: 1, k: 20))
      problems.append(Problem(dtype: CJ_FLOAT32, transposedA: true, m: 700, n: 530, k: 9))
      for problem in problems {
        // Bytes of small floats in any of the types; whatever they are, what is done stays so.
        let bytes = Int([CJ_FLOAT64, CJ_INT64].contains(problem.dtype) ? 8 : problem.dtype.isHalf ? 2 : 4)
        func operand(_ count: Int) -> [UInt16] { (0..<count * bytes / 2).map { _ in 0x3c00 | UInt16(draws.below(64)) } }
        let (a, b) = (operand(problem.countA), operand(problem.countB))
        let count = problem.batch * problem.m * problem.n
        var c = [UInt8](repeating: 0, count: count * bytes)
        c.withUnsafeMutableBytes { c in
          let blocks = Blocks(problem, c.baseAddress!, bytes: bytes)
          withUnsafePointer(to: problem.product) {
            cj_matmul(
              $0, a, b, c.baseAddress!,
              { context, row, rows, column, columns in
                Unmanaged<Blocks>.fromOpaque(context!).takeUnretainedValue()
                  .add(Int(row), Int(rows), Int(column), Int(columns))
              }, Unmanaged.passUnretained(blocks).toOpaque())
          }
          let times = UnsafeBufferPointer(start: blocks.times, count: count)
          #expect(times.allSatisfy { $0 == 1 }, "\(level) \(problem)")
          #expect(c.elementsEqual(UnsafeRawBufferPointer(start: blocks.seen, count: c.count)), "\(level) \(problem)")
        }
      }
    }
  }

  /// The operand `values`, [lines, depth] in order, as `problem` wants to have it.
  private static func laidOut<T>(_ values: [T], _ rows: Int, _ columns: Int, transposed: Bool, stride: Int) -> [T] {
    var result = [T](repeating: values[0], count: stride * (transposed ? columns : rows))
    for i in 0..<rows {
      for j in 0..<columns { result[transposed ? j * stride + i : i * stride + j] = values[i * columns + j] }
    }
    return result
  }

  private func expectSameBitsInAnyLayout<T: BitwiseCopyable & Equatable>(
    _ dtype: cj_dtype, _ m: Int, _ n: Int, _ k: Int, _ level: String, _ value: () -> T
  ) {
    let (a, b) = ((0..<m * k).map { _ in value() }, (0..<k * n).map { _ in value() })
    let expected = Problem(dtype: dtype, m: m, n: n, k: k).run(a, b).values(T.self)
    for layout in 0..<8 {
      let problem = Problem(
        dtype: dtype, transposedA: layout & 1 != 0, transposedB: layout & 2 != 0, m: m, n: n, k: k,
        padding: layout & 4 != 0 ? 3 : 0)
      let c = problem.run(
        Self.laidOut(a, m, k, transposed: problem.transposedA, stride: problem.lda),
        Self.laidOut(b, k, n, transposed: problem.transposedB, stride: problem.ldb))
      #expect(c.values(T.self) == expected, "\(level) \(problem) padding \(problem.padding)")
    }
    // A row alone, and a column alone.
    let row = Problem(dtype: dtype, m: 1, n: n, k: k).run(Array(a[(m / 2 * k)..<(m / 2 + 1) * k]), b)
    #expect(row.values(T.self) == Array(expected[(m / 2 * n)..<(m / 2 + 1) * n]), "\(level) \(dtype) \(m)x\(n)x\(k)")
    let column = Problem(dtype: dtype, m: m, n: 1, k: k).run(a, (0..<k).map { b[$0 * n + n / 2] })
    #expect(
      column.values(T.self) == (0..<m).map { expected[$0 * n + n / 2] }, "\(level) \(dtype) \(m)x\(n)x\(k)")
  }

  @Test func layoutsAndCutsGiveTheSameBits() {
    atEveryLevel { level in
      var draws = Draws(45)
      for (m, n, k) in [(3, 5, 7), (8, 40, 600), (9, 17, 257), (130, 100, 300), (300, 300, 20), (70, 10, 513)] {
        expectSameBitsInAnyLayout(CJ_FLOAT32, m, n, k, level) { Float(draws.uniform()) }
        expectSameBitsInAnyLayout(CJ_FLOAT64, m, n, k, level) { draws.uniform() }
        expectSameBitsInAnyLayout(CJ_FLOAT16, m, n, k, level) { cj_float_to_half(Float(draws.uniform())) }
        expectSameBitsInAnyLayout(CJ_BFLOAT16, m, n, k, level) { UInt16(Float(draws.uniform()).bitPattern >> 16) }
      }
    }
  }
}

extension cj_dtype {
  fileprivate var isHalf: Bool { self == CJ_FLOAT16 || self == CJ_BFLOAT16 }
}
