import { callLater } from '@oncekey/core'
import { type Dispatcher, request } from 'undici'

/** What one exchange with a receiver came to. */
export interface Exchange {
  /** Undefined where no answer came, or not all of it in time. */
  readonly status: number | undefined
  readonly retryAfter: string | readonly string[] | undefined
  /** The beginning of the answer's body. */
  readonly body: Uint8Array
  /** Whether there was more of it, or may have been. */
  readonly truncated: boolean
  readonly failure: ExchangeFailure | undefined
  readonly durationMs: number
}

export interface ExchangeFailure {
  /** The same for the same kind of failure: `timeout`, `ECONNREFUSED`, `address-forbidden`. */
  readonly error: string
  readonly message: string
}

export interface SendOptions {
  readonly dispatcher: Dispatcher
  /** For all of it: name, connection, request, answer and its body. */
  readonly timeoutMs: number
  readonly maxBodyBytes: number
  readonly signal?: AbortSignal
}

/**
 * Posts bytes and reads the answer, in bounded time and memory. Follows no redirect, decompresses
 * nothing. An answer counts when its body has ended, or as much of it came as is kept: one that breaks
 * off or drips until the time is over may be a proxy's whose server has just died.
 */
export async function send(
  url: string,
  headers: Record<string, string>,
  body: Uint8Array,
  { dispatcher, timeoutMs, maxBodyBytes, signal }: SendOptions,
): Promise<Exchange> {
  const startedAt = performance.now()
  const limit = timeLimit(timeoutMs, signal)
  const seen: Seen = { status: undefined, retryAfter: undefined, chunks: [], size: 0 }
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
        // The one limit above covers both.
        headersTimeout: 0,
        bodyTimeout: 0,
      },
      maxBodyBytes,
    )
    // undici hears of the signal once it is connected, and until then waits for as long as that takes.
    work.catch(() => {})
    truncated = await Promise.race([work, limit.over])
  } catch (error) {
    failure = failureOf(error, limit.isOver(), timeoutMs)
    truncated = seen.status !== undefined
  } finally {
    limit.clear()
  }
  return {
    status: seen.status,
    retryAfter: seen.retryAfter,
    body: Buffer.concat(seen.chunks).subarray(0, maxBodyBytes),
    truncated,
    failure,
    durationMs: Math.round(performance.now() - startedAt),
  }
}

interface TimeLimit {
  /** Aborts when the time is over, or the other signal aborts; then the promise rejects. */
  readonly signal: AbortSignal
  readonly over: Promise<never>
  isOver(): boolean
  /** Leaves no timer and no listener behind, as `AbortSignal.any` would. */
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
  const timer = callLater(() => {
    isOver = true
    abort()
  }, timeoutMs)
  outer?.addEventListener('abort', abort)
  if (outer?.aborted) abort()
  return {
    signal: controller.signal,
    over,
    isOver: () => isOver,
    clear() {
      timer.cancel()
      outer?.removeEventListener('abort', abort)
    },
  }
}

interface Seen {
  status: number | undefined
  retryAfter: string | readonly string[] | undefined
  readonly chunks: Uint8Array[]
  size: number
}

/** Whether it hung up before the end of the body. */
async function exchange(
  seen: Seen,
  url: string,
  options: Parameters<typeof request>[1],
  maxBodyBytes: number,
): Promise<boolean> {
  const response = await request(url, options)
  seen.status = response.statusCode
  seen.retryAfter = response.headers['retry-after']
  if (response.statusCode === NO_CONTENT) {
    // It ends with its headers, whatever length they give (RFC 9112 section 6.3): undici would go by that.
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

function failureOf(error: unknown, timedOut: boolean, timeoutMs: number): ExchangeFailure {
  if (timedOut) return { error: 'timeout', message: `No complete answer within ${timeoutMs} ms.` }
  const { code, name, message } = rootOf(error)
  return { error: String(code ?? name ?? 'error'), message: String(message ?? error) }
}

/** The first error on the way down that has a code: undici and Node wrap what the system said. */
function rootOf(error: unknown): { code?: unknown; name?: unknown; message?: unknown } {
  for (let at = error; typeof at === 'object' && at !== null; at = (at as Error).cause) {
    if ('code' in at && typeof at.code === 'string') return at
    // Every address of a name failed: the first says how.
    if (at instanceof AggregateError && at.errors.length > 0) return rootOf(at.errors[0])
  }
  return typeof error === 'object' && error !== null ? error : {}
}
