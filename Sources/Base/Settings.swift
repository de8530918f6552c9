import Foundation

/// Every flag of the framework, read once from the environment.
///
/// | variable | meaning | default |
/// |---|---|---|
/// | `CAJAL_DEVICE` | where tensors are made: `cpu`, `reference`, `fake` | `cpu` |
/// | `CAJAL_THREADS` | threads of the CPU backend | the CPUs this process may use |
/// | `CAJAL_SIMD` | highest SIMD level: `baseline`, `avx2`, `avx512` | the machine's best |
/// | `CAJAL_MEMORY_LIMIT` | the most memory that tensors of the host take: bytes, or `512M`, `8G` | the machine's, or its control group's |
/// | `CAJAL_FUSION` | `0` runs every operation by itself | `1` |
/// | `CAJAL_PACKED_WEIGHTS` | `0` keeps no second copy of weights, laid out for products, which serving many rows reads | `1` |
/// | `CAJAL_WINOGRAD` | `0` computes every convolution as the sum of its products: smaller errors, infinities that stay within their windows, more than twice the time of 3×3 ones | `1` |
/// | `CAJAL_TRAP` | `1` stops at the site of the first bad operation | `0` |
/// | `CAJAL_CHECK_NAN` | `1` evaluates each operation at once and names the first that made a NaN | `0` |
/// | `CAJAL_PLAN_CACHE` | plans kept | `1024` |
/// | `CAJAL_VERIFY` | `1` verifies graphs between passes in release builds too | `0` |
public struct Settings: Sendable, Hashable {
  public var device = "cpu"
  public var threads: Int?
  public var simd: String?
  /// Bytes.
  public var memoryLimit: Int?
  public var fusion = true
  public var packsWeights = true
  /// Whether convolutions may be computed with fewer multiplications than they have products.
  public var winograd = true
  public var trapsErrors = false
  public var checksNaN = false
  public var planCacheCapacity = 1024
  public var verifiesGraphs = false
  /// Nodes that may be pending on one thread before recording itself evaluates them.
  public var pendingNodeLimit = 50_000

  public init() {}

  public init(environment: [String: String]) {
    if let name = environment["CAJAL_DEVICE"], !name.isEmpty { device = name }
    if let text = environment["CAJAL_THREADS"], let count = Int(text), count > 0 { threads = count }
    if let name = environment["CAJAL_SIMD"], !name.isEmpty { simd = name }
    memoryLimit = environment["CAJAL_MEMORY_LIMIT"].flatMap(Settings.byteCount)
    fusion = environment["CAJAL_FUSION"] != "0"
    packsWeights = environment["CAJAL_PACKED_WEIGHTS"] != "0"
    winograd = environment["CAJAL_WINOGRAD"] != "0"
    trapsErrors = environment["CAJAL_TRAP"] == "1"
    checksNaN = environment["CAJAL_CHECK_NAN"] == "1"
    if let text = environment["CAJAL_PLAN_CACHE"], let count = Int(text), count > 0 { planCacheCapacity = count }
    #if DEBUG
      verifiesGraphs = true
    #else
      verifiesGraphs = environment["CAJAL_VERIFY"] == "1"
    #endif
  }

  /// The settings of this process.
  public static let process = Settings(environment: ProcessInfo.processInfo.environment)

  /// `"4096"`, `"512M"`, `"1.5G"` in bytes, with binary units (`K`, `M`, `G`, `T`); `nil` where it is no such number.
  static func byteCount(_ text: String) -> Int? {
    let units: [Character: Double] = ["K": 0x1p10, "M": 0x1p20, "G": 0x1p30, "T": 0x1p40]
    let unit = text.last.flatMap { units[Character($0.uppercased())] }
    guard let number = Double(unit == nil ? text : String(text.dropLast())), number > 0 else { return nil }
    return Int(exactly: (number * (unit ?? 1)).rounded())
  }
}
