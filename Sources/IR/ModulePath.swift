import CajalBase

/// The path of a module, from the root: `layers.0`.
///
/// There is one of each path, for as long as the process lives: so every node can say which module recorded it
/// without counting references.
public struct ModulePath: Hashable, Sendable, CustomStringConvertible {
  private final class Entry: Sendable {
    let parent: ModulePath?
    let name: String
    let children = Locked<[String: ModulePath]>([:])

    init(_ name: String, _ parent: ModulePath?) {
      self.name = name
      self.parent = parent
    }
  }

  private unowned(unsafe) let entry: Entry

  private static let root = Entry("", nil)

  public init(_ name: String, in parent: ModulePath? = nil) {
    let owner = parent?.entry ?? ModulePath.root
    self = owner.children.withLock { children in
      if let known = children[name] { return known }
      let path = ModulePath(Unmanaged.passRetained(Entry(name, parent)).takeUnretainedValue())
      children[name] = path
      return path
    }
  }

  private init(_ entry: Entry) { self.entry = entry }

  public var parent: ModulePath? { entry.parent }
  public var name: String { entry.name }
  public var description: String { parent.map { "\($0).\(name)" } ?? name }

  public static func == (left: ModulePath, right: ModulePath) -> Bool { left.entry === right.entry }
  public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(entry)) }

  /// Runs `body` with what it records marked as this module's.
  package func run<Result>(_ body: () throws -> Result) rethrows -> Result {
    let recording = Recording.ofThread
    let outer = recording._withUnsafeGuaranteedRef { $0.path }
    recording._withUnsafeGuaranteedRef { $0.path = self }
    defer { recording._withUnsafeGuaranteedRef { $0.path = outer } }
    return try body()
  }
}
