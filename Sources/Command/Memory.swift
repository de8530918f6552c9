import Foundation

enum Memory {
  /// The most memory that this process has had resident.
  static var peakBytes: Int {
    #if os(Linux)
      // getrusage's figure outlives exec on Linux and may be the parent's.
      if let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
        let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") }),
        let kibibytes = line.split(whereSeparator: { !$0.isNumber }).first.flatMap({ Int($0) })
      {
        return kibibytes * 1024
      }
    #endif
    #if canImport(Darwin)
      var usage = rusage()
      getrusage(RUSAGE_SELF, &usage)
      return usage.ru_maxrss
    #else
      return 0
    #endif
  }
}
