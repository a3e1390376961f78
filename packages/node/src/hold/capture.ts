import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import type { Run } from '@oncekey/core'

/**
 * One response that is held back, from the handler's first call to the verdict.
 *
 *   open ──first byte, writeHead──▶ frozen ──end(), too many bytes, or a route that streams──▶ settling
 *   settling ──the verdict is in, the answer leaves──▶ over
 *   open, frozen ──another answer was sent, or nobody will finish this one──▶ over
 */
export interface Capture {
  readonly res: CapturedResponse
  readonly run: Run
  /** The methods as they were before: those of Node, or of a middleware mounted outside. */
  readonly native: NativeMethods
  /** Headers that were set before the handler: not its own, so neither stored nor taken back. */
  readonly before: OutgoingHttpHeaders
  phase: 'open' | 'frozen' | 'settling' | 'over'
  /** Whether the handler called `end()`. */
  ended: boolean
  status: number
  reason: string
  chunks: Uint8Array[]
  size: number
  /** What `end` was given, where it was given everything: passed on as it is, a string stays a string. */
  whole: { readonly chunk: string | Uint8Array; readonly encoding: BufferEncoding } | undefined
  onEnd: Callback | undefined
  /** Streams that are piped into the response. */
  sources: Set<Readable> | undefined
  /** Lets the connection be destroyed again, and does it if someone asked meanwhile. */
  releaseConnection: (() => void) | undefined
}

export type Callback = (error?: Error | null) => void

export type NativeMethods = Pick<
  ServerResponse,
  'write' | 'end' | 'writeHead' | 'flushHeaders' | 'destroy'
>

/**
 * The fields of Node's own by which Node, Express and most middleware tell how far a response is.
 * Setting them makes `headersSent`, `writableEnded`, and the errors of late `setHeader` and `write`
 * calls what they would be, for those who ask and for those who look (`on-headers`, sessions).
 */
export interface CapturedResponse extends ServerResponse {
  [CAPTURE]: Capture
  _header: string | null
}

/** A property: a WeakMap costs the garbage collector more than all the rest of a capture. */
export const CAPTURE: unique symbol = Symbol('oncekey.capture')
