// Cajal's side of `compare`: reads a request a line, answers one line of JSON each, as peers/harness.py does.
// Besides works it measures the machine:
//
//     {"do": "peak", "kind": "copy", "bytes": N, "seconds": S}    {"rate": what it does a second}

import Cajal
import Foundation
import Peaks

private struct Request: Decodable {
  let `do`: String
  var work, kind: String?
  var bytes: Int64?
  var seconds: Double?
}

private struct Answer: Encodable {
  var version, error: String?
  var checks: [Check]?
  var ms: [Double]?
  var rate: Double?
}

private let peaks: [String: cj_peak] = [
  "fma f32": CJ_PEAK_FMA_F32, "fma bf16": CJ_PEAK_FMA_BF16, "read": CJ_PEAK_READ, "copy": CJ_PEAK_COPY,
  "triad": CJ_PEAK_TRIAD,
]

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
  case "peak":
    guard let kind = peaks[request.kind ?? ""] else { return Answer(error: "no such peak: \(request.kind ?? "")") }
    let threads = Int32(Runtime.threads)
    return Answer(rate: cj_measure_peak(kind, request.bytes ?? 0, threads, request.seconds ?? 0.1))
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
