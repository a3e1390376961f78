import { callLater } from '@oncekey/core'
import { type Dispatcher, request } from 'undici'

/** The result of one request to a receiver: its answer, or why there is none. */
export interface Exchange {
  /** Undefined if no answer came in time. */
  readonly status: number | undefined
  readonly retryAfter: string | readonly string[] | undefined
  /**
   * The answer's `Date` header, by the receiver's clock. A date in `Retry-After` is compared with
   * it.
   */
  readonly date: string | readonly string[] | undefined
  /** The beginning of the answer's body. */
  readonly body: Uint8Array
  /** Whether the body was, or may have been, longer. */
  readonly truncated: boolean
  readonly failure: ExchangeFailure | undefined
  readonly durationMs: number
}

export interface ExchangeFailure {
  /** A word for the kind of failure: `timeout`, `ECONNREFUSED`, `address-forbidden`. */
  readonly error: string
  readonly message: string
}

export interface SendOptions {
  readonly dispatcher: Dispatcher
  /**
   * Limits the whole exchange: name lookup, connection, request, answer and its body. Milliseconds.
   */
  readonly timeoutMs: number
  readonly maxBodyBytes: number
  readonly signal?: AbortSignal
}

/**
 * Posts bytes and reads the answer in bounded time and memory. Follows no redirect and decompresses
 * nothing. An answer is complete when its body has ended, or when `maxBodyBytes` of it have
 * arrived. An answer whose body breaks off, or still arrives when the time is over, is not
 * complete: it may come from a proxy whose server has just died.
 */
export async function send(
  url: string,
  headers: Record<string, string>,
  body: Uint8Array,
  { dispatcher, timeoutMs, maxBodyBytes, signal }: SendOptions,
): Promise<Exchange> {
  const startedAt = performance.now()
  const limit = timeLimit(timeoutMs, signal)
  const seen: Seen = { status: undefined, headers: {}, chunks: [], size: 0 }
  let failure: ExchangeFailure | undefined
  let truncated = false
  try {
    const work = exchange(
      seen,
      url,
      {
        dispatcher,
        method: 'POST',
        headers,
        body,
        signal: limit.signal,
        // `timeLimit` covers both.
        headersTimeout: 0,
        bodyTimeout: 0,
      },
      maxBodyBytes,
    )
    // undici obeys the signal only once it is connected, so the race below also ends a wait for the
    // connection.
    work.catch(() => {})
    truncated = await Promise.race([work, limit.over])
  } catch (error) {
    failure = limit.isOver() ? late(timeoutMs) : signal?.aborted ? ABORTED : failureOf(error)
    truncated = seen.status !== undefined
  } finally {
    limit.clear()
  }
  return {
    status: seen.status,
    retryAfter: seen.headers['retry-after'],
    date: seen.headers.date,
    body: Buffer.concat(seen.chunks).subarray(0, maxBodyBytes),
    truncated,
    failure,
    durationMs: Math.round(performance.now() - startedAt),
  }
}

interface TimeLimit {
  /** Aborts when the time is over or the outer signal aborts. */
  readonly signal: AbortSignal
  /** Rejects when `signal` aborts. */
  readonly over: Promise<never>
  isOver(): boolean
  /**
   * Removes the timer and the listener, which `AbortSignal.any` would leave on a long-lived signal.
   */
  clear(): void
}

function timeLimit(timeoutMs: number, outer: AbortSignal | undefined): TimeLimit {
  const controller = new AbortController()
  const abort = (): void => controller.abort()
  const over = new Promise<never>((_, reject) => {
    controller.signal.addEventListener('abort', () => reject(controller.signal.reason))
  })
  over.catch(() => {})
  let isOver = false
  // If the process was busy when the time ended, Node runs this timer before it reads what has come
  // since. So an answer that is there is read first.
  let turn: NodeJS.Immediate | undefined
  const timer = callLater(() => {
    turn = setImmediate(() => {
      turn = setImmediate(() => {
        isOver = true
        abort()
      })
    })
  }, timeoutMs)
  outer?.addEventListener('abort', abort)
  if (outer?.aborted) abort()
  return {
    signal: controller.signal,
    over,
    isOver: () => isOver,
    clear() {
      timer.cancel()
      clearImmediate(turn)
      outer?.removeEventListener('abort', abort)
    },
  }
}

interface Seen {
  status: number | undefined
  headers: Dispatcher.ResponseData['headers']
  readonly chunks: Uint8Array[]
  size: number
}

/** Resolves with whether the receiver closed the connection before the end of the body. */
async function exchange(
  seen: Seen,
  url: string,
  options: Parameters<typeof request>[1],
  maxBodyBytes: number,
): Promise<boolean> {
  const response = await request(url, options)
  seen.status = response.statusCode
  seen.headers = response.headers
  if (response.statusCode === NO_CONTENT) {
    // A 204 ends with its headers, even if they state a length (RFC 9112 section 6.3), but undici
    // would wait for a body of that length.
    response.body.on('error', () => {}).destroy()
    return false
  }
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    seen.chunks.push(chunk)
    seen.size += chunk.length
    // Leaving the loop destroys the stream, and with it the connection.
    if (seen.size > maxBodyBytes) return true
  }
  return false
}

const NO_CONTENT = 204

function late(timeoutMs: number): ExchangeFailure {
  return { error: 'timeout', message: `No complete answer within ${timeoutMs} ms.` }
}

/** The signal aborted the exchange. */
export const ABORTED: ExchangeFailure = {
  error: 'aborted',
  message: 'The worker was stopped before a complete answer came.',
}

function failureOf(error: unknown): ExchangeFailure {
  const { code, name, message } = rootOf(error)
  return { error: String(code ?? name ?? 'error'), message: String(message ?? error) }
}

/**
 * The outermost error with a code in the chain of causes, because undici and Node wrap system
 * errors. If every address of a name failed, that is the error of the first one: Node's own error
 * for all of them has its code, too, but no message.
 */
function rootOf(error: unknown): { code?: unknown; name?: unknown; message?: unknown } {
  for (let at = error; typeof at === 'object' && at !== null; at = (at as Error).cause) {
    if (at instanceof AggregateError && at.errors.length > 0) return rootOf(at.errors[0])
    if ('code' in at && typeof at.code === 'string') return at
  }
  return typeof error === 'object' && error !== null ? error : {}
}
