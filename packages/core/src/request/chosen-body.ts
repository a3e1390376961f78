import { OncekeyError, OptionsError } from '../errors/errors.ts'
import { callOption } from '../options/call-option.ts'
import type { RequestBody } from './fingerprint.ts'

/**
 * Awaits what the app's `fingerprint` returned, and checks that it can tell requests apart. Throws
 * `options-invalid` if it is no data. Throws `body-unseen` if it has an undefined member or an
 * empty form, and nobody has read the request's body: the function looked for a form that is not
 * parsed yet, and two different uploads would have the same fingerprint. `native` is the
 * framework's request.
 */
export function chosenBody(
  limitMs: number,
  body: RequestBody,
  native: unknown,
): RequestBody | Promise<RequestBody> {
  if (body.kind !== 'chosen') return body
  const { isUnread } = body
  const checked = (value: unknown): RequestBody | Promise<RequestBody> => {
    if (!isData(value, 0)) throw new OptionsError(NO_DATA)
    const chosen = { kind: 'chosen', value } as const
    if (isUnread === undefined || !hasGap(value, formsOf(native))) return chosen
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
  'fingerprint() returned an undefined member or an empty form for a request whose body nobody has read yet, so two different uploads would look the same. Let the parser of its form (multer, or @fastify/multipart with attachFieldsToBody) run before the claim. If a member may be missing on purpose, return null for it.'

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
      if (value === null || ArrayBuffer.isView(value) || depth > 32) return true
      for (const member of Object.values(value)) if (!isData(member, depth + 1)) return false
      return true
    default:
      return true
  }
}

/**
 * Whether something is undefined, or a form that is empty, at any depth; or whether there is
 * nothing in it at all. An empty object that is no form, such as the query of a URL without one, is
 * data.
 */
function hasGap(value: unknown, forms: readonly unknown[]): boolean {
  return lacks(value, forms, 0) || isEmpty(value, 0)
}

function lacks(value: unknown, forms: readonly unknown[], depth: number): boolean {
  if (value === undefined) return true
  if (!isPlain(value) || depth > 32) return false
  const members = Object.values(value)
  if (members.length === 0) return forms.includes(value)
  return members.some((member) => lacks(member, forms, depth + 1))
}

function isEmpty(value: unknown, depth: number): boolean {
  if (!isPlain(value) || depth > 32) return false
  return Object.values(value).every((member) => isEmpty(member, depth + 1))
}

/** Others, such as a Date or bytes, say what they are by something else than members. */
function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  const prototype = Object.getPrototypeOf(value)
  return Array.isArray(value) || prototype === null || prototype === Object.prototype
}

/** Where parsers put a form: on the request of Express and Fastify, on `ctx.request` of Koa. */
function formsOf(native: unknown): readonly unknown[] {
  const { request, ...own } = partsOf(native)
  return [own.body, own.files, partsOf(request).body, partsOf(request).files]
}

function partsOf(of: unknown): { body?: unknown; files?: unknown; request?: unknown } {
  if (typeof of !== 'object' || of === null) return {}
  const { body, files, request } = of as Record<string, unknown>
  return { body, files, request }
}
