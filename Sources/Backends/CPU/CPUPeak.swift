import CajalCKernels

/// What the CPU can do at the most, to be measured.
public enum CPUPeak: Sendable {
  /// Multiply-adds in registers.
  case float32, float64, bfloat16
  /// Adding up an array, one array to another, and a = b + s · c.
  case read, copy, triad

  /// What the threads in use do together in a second: floating-point operations, or bytes read and written in a
  /// working set of so many. Takes about `seconds`; 0 where there is not so much memory, or no such instruction.
  public func measured(workingSet: Int, seconds: Double) -> Double {
    cj_machine_measure(rate, Int64(workingSet), seconds)
  }

  private var rate: cj_machine_rate {
    switch self {
    case .float32: CJ_MACHINE_FMA_F32
    case .float64: CJ_MACHINE_FMA_F64
    case .bfloat16: CJ_MACHINE_FMA_BF16
    case .read: CJ_MACHINE_READ
    case .copy: CJ_MACHINE_COPY
    case .triad: CJ_MACHINE_TRIAD
    }
  }

  /// Seconds to give the threads nothing to do, and to wait for them.
  public static func forkJoin(seconds: Double) -> Double { cj_machine_fork_join(seconds) }
}
