import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import type { HandlerRun, HeaderChange } from '@oncekey/core'
import type { Internals } from '../internals/internals.ts'

/**
 * One response that is held back, from the handler's first call to the verdict.
 *
 *   open ──first byte, writeHead──▶ frozen ──end(), too many bytes, or a route that streams──▶ finishing
 *   finishing ──the verdict is in, the answer leaves──▶ over
 *   open, frozen ──another answer was sent, or nobody will finish this one──▶ over
 *   open ──handed back──▶ over
 */
export interface Capture {
  readonly res: CapturedResponse
  readonly run: HeldRun
  readonly internals: Internals
  /** The methods as they were before: those of Node, or of a middleware mounted outside. */
  readonly native: NativeMethods
  /** Headers that were set before the handler: not its own, so neither stored nor taken back. */
  readonly before: OutgoingHttpHeaders
  phase: 'open' | 'frozen' | 'finishing' | 'over'
  /** Whether anything was written to the response while it was held. */
  begun: boolean
  /** Whether the handler called `end()`. */
  ended: boolean
  status: number
  reason: string
  /** What the handler changed of the headers, as it was when the head was written. */
  headers: readonly HeaderChange[]
  /** Whether a header has bytes beyond ASCII; a string that is sent with the head would recode them. */
  beyondAscii: boolean
  /** Headers with several values, as they were then: the handler may still hold, and change, the lists. */
  lists: readonly HeaderList[]
  chunks: Uint8Array[]
  size: number
  /** What `end` was given, where it was given everything: a string as it is, or the copy of the bytes. */
  whole: { readonly chunk: string | Uint8Array; readonly encoding: BufferEncoding } | undefined
  onEnd: Callback | undefined
  /** Streams that are piped into the response. */
  sources: Set<Readable> | undefined
  /** Lets the connection be ended again, and does it if someone asked meanwhile. */
  releaseConnection: (() => void) | undefined
  /** Takes the net away that catches what methods kept from before the capture pass on. */
  releaseSends: (() => void) | undefined
  onOver: (() => void) | undefined
  /** Where a failure of the app goes that comes after the handler: to the framework's error handler. */
  readonly fail: ((error: unknown) => void) | undefined
}

/** What a held response asks of a run: whether, and with what, it may leave. */
export type HeldRun = Pick<HandlerRun, 'maxResponseBytes' | 'complete' | 'passThrough' | 'abandon'>

export type HeaderList = readonly [name: string, values: readonly string[]]

export type Callback = (error?: Error | null) => void

export type NativeMethods = Pick<
  ServerResponse,
  'write' | 'end' | 'writeHead' | 'flushHeaders' | 'destroy'
>

export interface CapturedResponse extends ServerResponse {
  [CAPTURE]: Capture
}

/** A property: a WeakMap costs the garbage collector more than all the rest of a capture. */
export const CAPTURE: unique symbol = Symbol('oncekey.capture')
