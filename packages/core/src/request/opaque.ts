import { OncekeyError } from '../errors/errors.ts'

/**
 * Whether an object has content that its properties do not show: a Map, a FormData, a promise, an
 * instance of a class that keeps everything in private fields. `size` is the number of its own
 * properties.
 */
export function isOpaque(value: object, size: number): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  const isPlain = prototype === Object.prototype || prototype === null
  if ((isPlain && size > 0) || Array.isArray(value) || hasJson(value)) return false
  const kind = kindOf(value)
  if (HIDDEN.has(kind)) return true
  if (size > 0 || ArrayBuffer.isView(value)) return false
  return kind !== 'Object' || hasBehaviour(value)
}

/**
 * Classes whose objects keep their content in internal slots, so their properties say nothing about
 * it.
 */
const HIDDEN: ReadonlySet<string> = new Set([
  'ArrayBuffer',
  'Blob',
  'DataView',
  'Error',
  'File',
  'FormData',
  'Headers',
  'Map',
  'Promise',
  'RegExp',
  'Set',
  'URLSearchParams',
  'WeakMap',
  'WeakSet',
])

/**
 * Whether the object's class has methods or accessors, which means that there may be hidden content
 * for them to work on. The last prototype does not count, because it is an `Object.prototype`,
 * maybe another realm's.
 */
function hasBehaviour(value: object): boolean {
  let prototype: object | null = Object.getPrototypeOf(value)
  while (prototype !== null) {
    const next: object | null = Object.getPrototypeOf(prototype)
    if (next === null) return false
    if (Reflect.ownKeys(prototype).some((name) => name !== 'constructor')) return true
    prototype = next
  }
  return false
}

/** Whether an object defines its own JSON. */
export function hasJson(value: object): value is { toJSON(): unknown } {
  return 'toJSON' in value && typeof value.toJSON === 'function'
}

/**
 * The data that stands for a value in JSON: the result of its `toJSON`, or of that result's
 * `toJSON`, and so on. An object whose `toJSON` returns the object is its own data.
 */
export function jsonOf(value: unknown): unknown {
  let data = value
  for (let calls = 0; typeof data === 'object' && data !== null && hasJson(data); calls += 1) {
    const next = data.toJSON()
    if (next === data) break
    if (calls > MAX_CALLS) throw notData('a toJSON() that never ends')
    data = next
  }
  return data
}

const MAX_CALLS = 100

/** The error for an object whose content cannot be seen, or for a function or symbol. */
export function opaque(value: unknown): OncekeyError {
  const name = typeof value === 'object' && value !== null ? nameOf(value) : typeof value
  return notData(`${/^[AEIO]/.test(name) ? 'an' : 'a'} ${name}`)
}

/** The error for a value that is used in place of a body and is not data. */
export function notData(what: string): OncekeyError {
  return new OncekeyError(
    'fingerprint-required',
    `What stands for the body holds ${what}, which cannot be told from another. Return plain JSON values or bytes: \`fingerprint: (req) => ({ … })\`.`,
  )
}

function nameOf(value: object): string {
  const kind = kindOf(value)
  return kind === 'Object' ? String(value.constructor?.name || 'class instance') : kind
}

function kindOf(value: object): string {
  return Object.prototype.toString.call(value).slice('[object '.length, -1)
}
