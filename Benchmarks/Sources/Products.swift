import Cajal

extension Work {
  /// `gemm f32 MxKxN`, `… ta`, `… tb`: several operand sets in turn, so that no product is another one's.
  func product() throws -> any Job {
    let dtype: DType = words[1] == "bf16" ? .bfloat16 : .float32
    let (m, k, n) = (numbers[0], numbers[1], numbers[2])
    let isTransposed = (words.last == "ta", words.last == "tb")
    // As many as peers/works.py takes.
    let size = dtype.byteCount * (m * k + k * n + m * n)
    let count = max(2, min(8, (64 << 20) / size))
    let sets = try (0..<count).map { index in
      (
        try signed(.input, index, isTransposed.0 ? [k, m] : [m, k]).cast(to: dtype).evaluated(),
        try signed(.other, index, isTransposed.1 ? [n, k] : [k, n]).cast(to: dtype).evaluated()
      )
    }
    let products = compile { (operands: [Tensor]) in
      (0..<count).map { index in
        let (a, b) = (operands[2 * index], operands[2 * index + 1])
        return (isTransposed.0 ? a.T : a).matmul(isTransposed.1 ? b.T : b)
      }
    }
    let operands = sets.flatMap { [$0, $1] }
    return try RepeatedJob(units: count) { products(operands) }
  }
}
