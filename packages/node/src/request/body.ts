import type { IncomingMessage, ServerResponse } from 'node:http'
import { OncekeyError, type RequestBody, warnOnce } from '@oncekey/core'
import type { NodeRequest } from './node-request.ts'
import { hasBody, readBody } from './peek.ts'

const rawBodies = new WeakMap<IncomingMessage, Uint8Array>()

/**
 * For `express.json({ verify: keepRawBody })`: fingerprints the bytes received, so that requests
 * differ even in integers over 2^53 and in bodies that a parser would normalise.
 */
export function keepRawBody(req: IncomingMessage, _res: unknown, bytes: Uint8Array): void {
  rawBodies.set(req, bytes)
}

/** How to get the body of a request, where that differs from Express. */
export interface BodyReading {
  /** Reads the body up to this size and puts it back for later readers. Bytes. */
  readonly maxBytes?: number
  /** What the error advises if the body was not read. @default how to mount a parser in Express */
  readonly hint?: string
  /** The parsed body, for a framework whose parser does not set `req.body`. @default `req.body` */
  readonly parsed?: unknown
}

/**
 * The body of a request after the app's parsers ran: their result, or `none` if there is none,
 * whatever the headers announced. Throws `body-unsupported` if parsers ran but none handled this
 * content type: either the client's mistake, or a missing parser, which a warning names.
 */
export function bodyOf(
  req: NodeRequest,
  res: ServerResponse,
  { maxBytes, hint = MOUNT_A_PARSER, parsed: left = req.body }: BodyReading = {},
): RequestBody | Promise<RequestBody> {
  const parsed = parsedBody(req, left)
  if (parsed !== undefined) return parsed
  const isThere = hasBody(req, res)
  if (isThere === false) return NONE
  const isUntouched = !req.readableDidRead && !req.readableEncoding
  if (maxBytes !== undefined && isUntouched) return bytesOf(req, res, maxBytes)
  const unseen = (): RequestBody => {
    if ('body' in req && isUntouched) throw unsupported(req)
    return { kind: 'unseen', hint }
  }
  return isThere === true ? unseen() : isThere.then((isThere) => (isThere ? unseen() : NONE))
}

/** Whether a request has a body of which nobody has read anything. */
export function isUnread(req: NodeRequest, res: ServerResponse): boolean | Promise<boolean> {
  return !req.readableDidRead && !req.readableEncoding && hasBody(req, res)
}

const NONE: RequestBody = { kind: 'none' }

/** Returns the bytes of a body: those that were kept, or else reads them and puts them back. */
export async function bytesOfBody(
  req: NodeRequest,
  res: ServerResponse,
  maxBytes: number,
): Promise<Uint8Array> {
  return rawBodies.get(req) ?? (await readBody(req, res, maxBytes))
}

async function bytesOf(
  req: NodeRequest,
  res: ServerResponse,
  maxBytes: number,
): Promise<RequestBody> {
  const bytes = await readBody(req, res, maxBytes)
  if (bytes.length === 0) return NONE
  rawBodies.set(req, bytes)
  return { kind: 'bytes', bytes }
}

function parsedBody(req: NodeRequest, body: unknown): RequestBody | undefined {
  const bytes = rawBodies.get(req)
  if (bytes !== undefined) return { kind: 'bytes', bytes }
  if (body === undefined || (body === null && !req.readableDidRead)) return undefined
  if (body instanceof Uint8Array) return { kind: 'bytes', bytes: body }
  if (typeof body === 'string') {
    const bytes = new TextEncoder().encode(body)
    // A JSON parser turned the string `"42"` into text without quotes, which must not equal the
    // number 42.
    if (isJson(req) && Number(req.headers['content-length']) !== bytes.length) {
      return { kind: 'parsed', value: body }
    }
    return { kind: 'bytes', bytes }
  }
  if (!isEmptyObject(body) || wasParsed(req)) return { kind: 'parsed', value: body }
  return undefined
}

/**
 * Whether a parser parsed the body. Express 4's parsers also leave an empty object when they skip a
 * body.
 */
function wasParsed(req: IncomingMessage): boolean {
  const type = req.headers['content-type'] ?? ''
  return req.readableDidRead && /json|x-www-form-urlencoded/i.test(type)
}

function isJson({ headers }: IncomingMessage): boolean {
  return /^application\/([^;]+\+)?json\b/i.test(headers['content-type'] ?? '')
}

function isEmptyObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0
}

/** The error for a body that the parsers skipped. They set `req.body` even then. */
function unsupported(req: NodeRequest): OncekeyError {
  const type = req.headers['content-type'] ?? 'no content type'
  const path = (req.originalUrl ?? req.url)?.split('?', 1)[0]
  warnOnce(
    'body-unsupported',
    `body-unsupported: ${req.method} ${path} came with a body of ${type}, which no parser mounted before idempotency() takes. If one behind it does, mount that before, or say what counts with \`fingerprint: (req) => …\`. Said once.`,
  )
  return new OncekeyError('body-unsupported', `The server does not take a body of ${type} here.`)
}

const MOUNT_A_PARSER =
  'Mount express.json() (or the parser for its content type) before idempotency(), or say what counts with `fingerprint: (req) => …`.'
