// Cajal's side of `compare`: reads a request a line, answers one line of JSON each, as peers/harness.py does.
// Besides works it measures the machine:
//
//     {"do": "peaks", "bytes": N, "seconds": S}    {"rates": {"fma f32": …, "fma bf16": …, "read": …, …}}

import Cajal
import Foundation

private struct Request: Decodable {
  let `do`: String
  var work: String?
  var bytes: Int?
  var seconds: Double?
}

private struct Answer: Encodable {
  var version, error: String?
  var checks: [Check]?
  var ms: [Double]?
  var rates: [String: Double]?
}

/// What the machine does a second: floating-point operations, bytes going over so many again and again, and how often
/// it sets its threads to work and waits for them.
private func rates(_ bytes: Int, _ seconds: Double) -> [String: Double] {
  let peaks = MachinePeaks.measure(secondsEach: seconds, workingSets: [bytes]) { _ in }
  var rates = ["fma f32": peaks.operations(in: .float32), "fma bf16": peaks.operations(in: .bfloat16)]
  if peaks.forkJoin > 0 { rates["fork and join"] = 1 / peaks.forkJoin }
  if let memory = peaks.bandwidths.first {
    rates.merge(["read": memory.read, "copy": memory.copy, "triad": memory.triad]) { $1 }
  }
  return rates
}

private func answer(_ request: Request, _ job: inout (any Job)?) throws -> Answer {
  switch request.do {
  case "prepare":
    job = nil
    var made = try Work(request.work ?? "").job()
    try made.warm()
    job = made
    return Answer(checks: made.checks)
  case "sample":
    return Answer(ms: try job?.sample(seconds: request.seconds ?? 0.2))
  case "peaks":
    return Answer(rates: rates(request.bytes ?? 0, request.seconds ?? 0.1))
  default:
    job = nil
    return Answer()
  }
}

private func print(_ answer: Answer) {
  guard let data = try? JSONEncoder().encode(answer) else { return }
  FileHandle.standardOutput.write(data + [UInt8(ascii: "\n")])
}

guard CommandLine.arguments.count == 2, let threads = Int(CommandLine.arguments[1]), threads > 0 else {
  FileHandle.standardError.write(Data("usage: cajal-benchmarks THREADS   (run by `compare`)\n".utf8))
  exit(2)
}
Runtime.threads = threads
print(Answer(version: Runtime.cpuDescription))
var job: (any Job)?
while let line = readLine() {
  do {
    print(try answer(JSONDecoder().decode(Request.self, from: Data(line.utf8)), &job))
  } catch {
    print(Answer(error: "\(error)"))
  }
}
