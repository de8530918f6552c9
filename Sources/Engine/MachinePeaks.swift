import CajalBackends
import CajalBase

/// What the machine can do at most with the threads in use: measured, for rates to be compared with.
public struct MachinePeaks: Sendable {
  /// Bytes read and written a second, going over one working set again and again.
  public struct Bandwidth: Sendable {
    /// Bytes. One that fits a cache lies in it.
    public let workingSet: Int
    /// Adding up an array.
    public let read: Double
    /// One array to another.
    public let copy: Double
    /// a = b + s · c (McCalpin 1995).
    public let triad: Double

    public var best: Double { max(read, copy, triad) }
  }

  public let threads: Int
  /// Floating-point operations a second, two a multiply-add, in registers.
  public let float32: Double
  public let float64: Double
  /// With sums in float32; `nil` where the machine has no such instruction.
  public let bfloat16: Double?
  /// Growing working sets.
  public let bandwidths: [Bandwidth]
  /// The seconds it takes to set all threads to work, until all have met and the caller goes on.
  public let forkJoin: Double

  /// From what the caches of one core hold to what none does.
  public static let workingSets = [1 << 20, 8 << 20, 64 << 20, 256 << 20]

  /// The most operations a second on numbers of `dtype`.
  public func operations(in dtype: DType) -> Double {
    switch dtype {
    case .float64: float64
    case .bfloat16: bfloat16 ?? float32
    default: float32
    }
  }

  /// The most bytes a second of a working set of `byteCount`: what the smallest measured one that is no
  /// smaller gives. Infinite where there was memory for none.
  public func bandwidth(of byteCount: Int) -> Double {
    (bandwidths.first { $0.workingSet >= byteCount } ?? bandwidths.last)?.best ?? .infinity
  }

  /// Measures them, on the threads in use.
  ///
  /// - Parameters:
  ///   - secondsEach: for each of the figures.
  ///   - workingSets: bytes, growing; those that memory is too small for are left out.
  ///   - onProgress: called before each figure with what it is.
  public static func measure(
    secondsEach: Double = 0.2, workingSets: [Int] = MachinePeaks.workingSets,
    onProgress: (_ figure: String) throws -> Void = { _ in }
  ) rethrows -> MachinePeaks {
    let threads = Engine.shared.threads
    func peak(_ peak: CPUPeak, _ name: String, _ bytes: Int = 0) throws -> Double {
      try onProgress(name)
      return peak.measured(workingSet: bytes, seconds: secondsEach)
    }
    var bandwidths: [Bandwidth] = []
    for bytes in workingSets where bytes <= Engine.shared.availableMemory / 2 {
      let name = "of \(bytes >> 20) MiB"
      let set = Bandwidth(
        workingSet: bytes, read: try peak(.read, "reading \(name)", bytes),
        copy: try peak(.copy, "copying \(name)", bytes), triad: try peak(.triad, "triad \(name)", bytes))
      if min(set.read, set.copy, set.triad) > 0 { bandwidths.append(set) }
    }
    let bfloat16 = try peak(.bfloat16, "bfloat16")
    return MachinePeaks(
      threads: threads, float32: try peak(.float32, "float32"), float64: try peak(.float64, "float64"),
      bfloat16: bfloat16 > 0 ? bfloat16 : nil, bandwidths: bandwidths,
      forkJoin: CPUPeak.forkJoin(seconds: secondsEach))
  }
}
