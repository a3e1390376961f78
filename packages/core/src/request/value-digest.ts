import { createHash, type Hash, hash } from 'node:crypto'
import { isOpaque, jsonOf, notData, opaque } from './opaque.ts'

/**
 * The SHA-256, in base64url, of a value that is too large for the text of `unambiguousText`, or
 * holds too many bytes for it: that text spells each byte as a member, and 1.5 MB of them took 2 s
 * and 340 MB. Any two different values get different digests. Bytes count by their own SHA-256, and
 * keys in the order they came. Nothing is kept but what is open and 64 KB of text. Throws
 * `fingerprint-required` for a value that is not data. A million numbers take 0.2 s.
 */
export function valueDigest(root: unknown): string {
  const digest = createHash('sha256')
  const open: Container[] = []
  // The container at the last depth that is a power of two: in a circle the walk goes ever deeper,
  // so that it meets one of them again.
  let mark: object | undefined
  let text = ''
  let value = root
  for (;;) {
    const data = dataOf(value)
    if (!isContainer(data)) text += leafText(data)
    else {
      if (data === mark) throw notData('itself')
      open.push(containerOf(data))
      if ((open.length & (open.length - 1)) === 0) mark = data
      text += Array.isArray(data) ? '[' : '{'
    }
    let inner = open.at(-1)
    while (inner !== undefined && inner.at === inner.length) {
      text += inner.keys === undefined ? '],' : '},'
      if (inner.data === mark) mark = undefined
      open.pop()
      inner = open.at(-1)
    }
    if (text.length >= CHUNK || inner === undefined) text = hashed(digest, text)
    if (inner === undefined) return digest.digest('base64url')
    const key = inner.keys === undefined ? inner.at : (inner.keys[inner.at] as string)
    inner.at += 1
    value = (inner.data as Record<string | number, unknown>)[key]
    // A hole in a list is not a member that is undefined.
    if (typeof key === 'string') text += `${JSON.stringify(key)}:`
    else if (value === undefined && !(key in inner.data)) text += '_'
  }
}

const CHUNK = 64 * 1024

function hashed(digest: Hash, text: string): '' {
  digest.update(text)
  return ''
}

/** A list or an object whose members are being written. */
interface Container {
  readonly data: object
  /** `undefined` for a list. */
  readonly keys: readonly string[] | undefined
  readonly length: number
  at: number
}

function containerOf(data: object): Container {
  if (Array.isArray(data)) return { data, keys: undefined, length: data.length, at: 0 }
  const keys = Object.keys(data)
  if (isOpaque(data, keys.length)) throw opaque(data)
  return { data, keys, length: keys.length, at: 0 }
}

/** A Buffer's `toJSON` would make a list of numbers of it. */
function dataOf(value: unknown): unknown {
  return isBytes(value) ? value : jsonOf(value)
}

/** The content of a DataView is hidden in smaller values, so it is here. */
function isBytes(value: unknown): value is ArrayBufferView {
  return ArrayBuffer.isView(value) && !(value instanceof DataView)
}

function isContainer(data: unknown): data is object {
  return typeof data === 'object' && data !== null && !isBytes(data)
}

/** No text of one kind of value is that of another kind. */
function leafText(data: unknown): string {
  switch (typeof data) {
    case 'string':
      return `${JSON.stringify(data)},`
    case 'number':
    case 'boolean':
    case 'undefined':
      return `${data},`
    case 'bigint':
      return `n${data},`
    case 'object':
      return data === null ? 'null,' : bytesText(data as ArrayBufferView)
    default:
      // Two functions may have the same source, and two symbols the same name, without being the
      // same value.
      throw opaque(data)
  }
}

/** Two views of the same bytes differ if their elements do. A Buffer is a Uint8Array. */
function bytesText(view: ArrayBufferView): string {
  const kind = Object.prototype.toString.call(view).slice('[object '.length, -1)
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
  return `#${kind}:${hash('sha256', bytes, 'base64url')},`
}

/**
 * Whether the text of `unambiguousText` would be too large for a value: it has more than 131,072
 * members or 512 KB of texts, or a mixture of these, or more than 64 KB of bytes. Below, that text
 * takes 0.1 s at most. The walk ends at these limits, also in a circle.
 */
export function isHeavy(root: unknown): boolean {
  let size = 0
  let bytes = 0
  const stack = [root]
  while (stack.length > 0) {
    const data = dataOf(stack.pop())
    if (typeof data === 'string') size += data.length
    else if (isBytes(data)) bytes += data.byteLength
    else if (typeof data === 'object' && data !== null) {
      const keys = Array.isArray(data) ? undefined : Object.keys(data)
      size += (keys ?? (data as unknown[])).length * SIZE_OF_MEMBER
      if (size > MAX_SIZE) return true
      for (const key of keys ?? []) size += key.length
      for (const member of Object.values(data)) stack.push(member)
    }
    if (size > MAX_SIZE || bytes > MAX_BYTES) return true
  }
  return false
}

const SIZE_OF_MEMBER = 4
const MAX_SIZE = 512 * 1024
const MAX_BYTES = 64 * 1024
