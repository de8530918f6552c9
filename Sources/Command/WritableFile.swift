import ArgumentParser
import CajalFormats
import Foundation

/// A wrong place for a file is known before the work, not after it.
func checkWritable(_ path: String, option: String) throws {
  let place = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
  var isFolder: ObjCBool = false
  if !FileManager.default.fileExists(atPath: place, isDirectory: &isFolder) || !isFolder.boolValue {
    throw ValidationError(
      "\(option) \(path): the folder \(place) does not exist. Create it (mkdir -p), or name another.")
  }
  let isThere = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
  if path.isEmpty || path.hasSuffix("/") || (isThere && isFolder.boolValue) {
    throw ValidationError("\(option) \(path): that is a folder. Name a file in it.")
  }
  if !FileManager.default.isWritableFile(atPath: place) {
    throw ValidationError("\(option) \(path): \(place) may not be written. Change its permissions, or name another.")
  }
}
