/// The epochs of a run.
///
/// ```swift
/// try trainer.fit(data.train, epochs: 10, validation: data.test)
/// trainer.history["val_accuracy"]  // a number an epoch
/// ```
public struct History: Sendable, Codable {
  public internal(set) var epochs: [EpochReport] = []

  public init() {}

  /// The numbers of that name, one an epoch that has it.
  public subscript(name: String) -> [Double] { epochs.compactMap { $0[name] } }

  /// Every name there is, in the order of their first appearance.
  public var names: [String] {
    var seen = Set<String>()
    return epochs.flatMap(\.measures.names).filter { seen.insert($0).inserted }
  }
}
