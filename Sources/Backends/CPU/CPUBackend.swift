import CajalBase
import CajalCKernels
import CajalCompiler
import CajalIR

/// The CPU: fused groups through the tile interpreter, products and the rest through C kernels.
public final class CPUBackend: HostBackend {
  public let device = Device.cpu
  let meter = MemoryMeter()

  public init(_ settings: Settings = .process) {
    if let threads = settings.threads { cj_threads_set(Int32(clamping: threads)) }
    if let limit = settings.memoryLimit { cj_memory_limit_set(Int64(limit)) }
    switch settings.simd {
    case "baseline": cj_simd_set(CJ_SIMD_BASELINE)
    case "avx2": cj_simd_set(CJ_SIMD_AVX2)
    case "avx512": cj_simd_set(CJ_SIMD_AVX512)
    default: break
    }
  }

  public func compile(_ graph: Graph) throws(TensorError) -> any Executable {
    CPUExecutable(CPUBackend.lower(graph, fuses: Settings.process.fusion), self)
  }

  /// The kernels of a graph, for memory of the host.
  static func lower(
    _ graph: Graph, fuses: Bool,
    follows: @escaping @Sendable (FusedGroup, any Operation, [Placement]) -> Bool = HostKernels.follows
  ) -> HostProgram {
    var work = WorkCount()
    let options = LoweringOptions(
      fuses: fuses, acceptsStrided: acceptsStrided, follows: follows, workspace: HostKernels.workspace,
      groupWorkspace: { HostKernels.workspace($0) })
    return HostProgram(CajalCompiler.compile(graph, options, &work))
  }

  /// What the CPU is: SIMD level and threads in use.
  public static var description: String {
    "\(String(cString: cj_simd_name(cj_simd_level()))), \(cj_threads()) threads"
  }

  /// Bytes of memory that the process may use.
  public static var availableMemory: Int { Int(cj_memory_available()) }

  /// Threads that kernels run on from now on.
  public static var threads: Int {
    get { Int(cj_threads()) }
    set { cj_threads_set(Int32(clamping: max(1, newValue))) }
  }
}

final class CPUExecutable: Executable {
  private let program: HostProgram
  private let backend: CPUBackend

  init(_ program: HostProgram, _ backend: CPUBackend) {
    self.program = program
    self.backend = backend
  }

  var steps: [StepSummary] { program.steps }

  func run(_ arguments: RunArguments, completion: @escaping @Sendable (RunResult) -> Void) {
    completion(
      Result { () throws(RunFailure) in
        try program.run(arguments) { (bytes: Int) throws(TensorError) in try backend.allocateHost(bytes) }
      })
  }
}
