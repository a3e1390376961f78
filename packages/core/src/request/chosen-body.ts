import { OncekeyError, OptionsError } from '../errors/errors.ts'
import { callOption } from '../options/call-option.ts'
import type { RequestBody } from './fingerprint.ts'

/**
 * Awaits what the app's `fingerprint` returned, and checks that it can tell requests apart. Throws
 * `options-invalid` if it is no data. Throws `body-unseen` if it has an undefined or an empty
 * member and nobody has read the request's body: the function looked for a form that is not parsed
 * yet, and two different uploads would have the same fingerprint.
 */
export function chosenBody(limitMs: number, body: RequestBody): RequestBody | Promise<RequestBody> {
  if (body.kind !== 'chosen') return body
  const { isUnread } = body
  const checked = (value: unknown): RequestBody | Promise<RequestBody> => {
    if (!isData(value, 0)) throw new OptionsError(NO_DATA)
    const chosen = { kind: 'chosen', value } as const
    if (isUnread === undefined || !hasGap(value, 0)) return chosen
    const unlessUnread = (unread: boolean) => {
      if (unread) throw new OncekeyError('body-unseen', NOT_PARSED_YET)
      return chosen
    }
    const unread = isUnread()
    return typeof unread === 'boolean' ? unlessUnread(unread) : unread.then(unlessUnread)
  }
  const returned = callOption('fingerprint', limitMs, () => body.value, checked)
  return returned as RequestBody | Promise<RequestBody> // a promise in a promise is one promise
}

const NO_DATA =
  'fingerprint() must return what tells one request from another, as JSON or bytes. It returned undefined, or a value that contains a function, a symbol, NaN or Infinity, which would make different requests look the same.'

const NOT_PARSED_YET =
  'fingerprint() returned an undefined or empty member for a request whose body nobody has read yet, so two different uploads would look the same. Let the parser of its form (multer, or @fastify/multipart with attachFieldsToBody) run before the claim. If a member may be missing on purpose, return null for it.'

/** Circular and opaque objects pass here, because the fingerprint itself refuses them. */
function isData(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case 'undefined':
      return depth > 0
    case 'number':
      return Number.isFinite(value)
    case 'function':
    case 'symbol':
      return false
    case 'object':
      if (value === null || value instanceof Uint8Array || depth > 32) return true
      for (const member of Object.values(value)) if (!isData(member, depth + 1)) return false
      return true
    default:
      return true
  }
}

/** Whether something is undefined, or a plain object or list without members, at any depth. */
function hasGap(value: unknown, depth: number): boolean {
  if (value === undefined) return true
  if (typeof value !== 'object' || value === null || depth > 32) return false
  // Others, such as a Date or bytes, say what they are by something else than members.
  const prototype = Object.getPrototypeOf(value)
  if (!Array.isArray(value) && prototype !== null && prototype !== Object.prototype) return false
  const members = Object.values(value)
  return members.length === 0 || members.some((member) => hasGap(member, depth + 1))
}
