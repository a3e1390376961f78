import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import type { HandlerRun, HeaderChange } from '@oncekey/core'
import type { Internals } from '../internals/internals.ts'

/**
 * One response that is held back, from the handler's first call until the run's outcome is known.
 *
 *   open ──first byte, writeHead──▶ frozen ──end(), too many bytes, or a route that streams──▶ finishing
 *   finishing ──the outcome is known, a response leaves──▶ over
 *   open, frozen ──another answer was sent, or nobody will finish this one──▶ over
 *   open ──handed back──▶ over
 */
export interface Capture {
  readonly res: CapturedResponse
  readonly run: HeldRun
  readonly internals: Internals
  /**
   * The methods before they were replaced: Node's, or those of a middleware mounted outside. Deaf
   * ones, once another answer than the handler's is sent.
   */
  native: NativeMethods
  /**
   * Headers set before the handler ran. They are not the handler's, so they are neither stored nor
   * removed.
   */
  readonly before: OutgoingHttpHeaders
  phase: 'open' | 'frozen' | 'finishing' | 'over'
  /** Whether anything was written to the response while it was held. */
  begun: boolean
  /** Whether the handler called `end()`. */
  ended: boolean
  status: number
  reason: string
  /** The handler's header changes, as of when the head was written. */
  headers: readonly HeaderChange[]
  /**
   * Whether the reason or a header has non-ASCII bytes. A body string sent together with the head
   * would re-encode them.
   */
  beyondAscii: boolean
  /**
   * Headers with several values, as of when the head was written; the handler may keep the arrays
   * and change them.
   */
  lists: readonly HeaderList[]
  chunks: Uint8Array[]
  size: number
  /** The body, if `end` was given all of it: the string itself, or a copy of the bytes. */
  whole: { readonly chunk: string | Uint8Array; readonly encoding: BufferEncoding } | undefined
  onEnd: Callback | undefined
  /** Set if the response is destroyed while it is recorded, with less than all of it written. */
  broken: { readonly error: Error | undefined } | undefined
  /** Streams piped into the response. */
  sources: Set<Readable> | undefined
  /** Lets the connection end again, and ends it if somebody asked for that while it was held. */
  releaseConnection: (() => void) | undefined
  /**
   * Stops intercepting what bypasses the response: methods that somebody saved before it was held,
   * and its HTTP/2 stream.
   */
  releaseSends: (() => void) | undefined
  onOver: (() => void) | undefined
  /** Receives failures of the app's options after the handler: the framework's error handler. */
  readonly fail: ((error: unknown) => void) | undefined
}

/** The part of a run that a held response needs: its size limit and its ends. */
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

/**
 * A property of the response, because a WeakMap costs more garbage collection than the rest of a
 * capture.
 */
export const CAPTURE: unique symbol = Symbol('oncekey.capture')
